import { BackendMetrics } from '../../src/backend-agent/backend-metrics.ts';
import { UNSEEN } from '../../src/backend-agent/backend-state.ts';
import { OperatorMetrics } from '../../src/operator/operator-metrics.ts';
import { ProxyMetrics } from '../../src/proxy/proxy-metrics.ts';
import { anObservation } from './observations.ts';

/** Labels whose values are a closed set of ours. */
const CLOSED_LABELS = ['state', 'reason', 'kind'];

/** A metric that a process of ours exports, Node's own among them. */
export interface ExportedMetric {
  readonly name: string;
  readonly type: string;
  /** Values of its labels that are a closed set; those of the operator's `kind` are Kubernetes kinds and not in here. */
  readonly labelValues: readonly string[];
}

/** Every metric of every process. */
export async function exportedMetrics(): Promise<ExportedMetric[]> {
  const operator = new OperatorMetrics({
    queueDepths: () => ({ cccampool: 0, 'cccampool-status': 0 }),
    leads: () => false,
    pools: () => 0,
    conditions: () => [],
    proxies: () => 0,
    watchAges: () => new Map(),
  });
  const proxy = new ProxyMetrics();
  proxy.update(anObservation({}));
  const backend = new BackendMetrics();
  backend.update(UNSEEN, 0);
  const registries = [proxy.registry, backend.registry, operator.registry];
  const metrics = (await Promise.all(registries.map((registry) => registry.getMetricsAsJSON()))).flat();
  return metrics.map(({ name, type, values }) => ({
    name,
    type: String(type),
    labelValues: [...new Set(values.flatMap(({ labels }) => closed(labels)))],
  }));
}

function closed(labels: Readonly<Partial<Record<string, string | number>>>): string[] {
  return CLOSED_LABELS.flatMap((label) => (labels[label] === undefined ? [] : String(labels[label])));
}
