import { BackendMetrics } from '../../src/backend-agent/backend-metrics.ts';
import { OperatorMetrics } from '../../src/operator/operator-metrics.ts';
import { ProxyMetrics } from '../../src/proxy/proxy-metrics.ts';

/** Names of every metric that a process of ours tells, Node's own among them. */
export async function metricNames(): Promise<string[]> {
  const operator = new OperatorMetrics({
    queueDepths: () => ({ cccampool: 0, 'cccampool-status': 0 }),
    leads: () => false,
    pools: () => 0,
    conditions: () => [],
    proxies: () => 0,
    watchAges: () => new Map(),
  });
  const registries = [new ProxyMetrics().registry, new BackendMetrics().registry, operator.registry];
  return (await Promise.all(registries.map((registry) => registry.getMetricsAsJSON()))).flat().map((metric) => metric.name);
}
