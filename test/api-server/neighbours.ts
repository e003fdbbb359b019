import { readFile } from 'node:fs/promises';
import { expect, inject } from 'vitest';
import { until } from '../support/until.ts';
import { Tenant } from './tenant.ts';
import { answer, aPodTemplate, type RunningOperator, TestCluster } from './test-cluster.ts';

/** What the chart gives the operator: a third of 192 MiB for the heap. */
const HEAP = '--max-old-space-size=67 --max-semi-space-size=1';
const LIMIT_KIB = 192 * 1_024;

/** Two namespaces under one operator: in the one somebody wants their pool to work, in the other somebody wants it not to. */
export class Neighbours {
  readonly good: TestCluster;
  readonly bad: TestCluster;
  readonly tenant: Tenant;
  #operator: RunningOperator;
  #changes = 0;

  private constructor(good: TestCluster, bad: TestCluster, tenant: Tenant, operator: RunningOperator) {
    this.good = good;
    this.bad = bad;
    this.tenant = tenant;
    this.#operator = operator;
  }

  static async create(): Promise<Neighbours> {
    const good = await TestCluster.create(inject('access'));
    const bad = await TestCluster.create(inject('access'));
    bad.kubelet.idle = true;
    await bad.bindOperator('neighbour', good.namespace);
    const tenant = await Tenant.in(bad);
    const operator = await startIn(good, bad);
    await good.applyPool('p', { backends: [{ name: 'a', replicas: 1 }], podTemplate: aPodTemplate(), proxy: { maxConnections: 2_000 } });
    await good.untilCondition('p', 'Ready', 'True', 40_000);
    return new Neighbours(good, bad, tenant, operator);
  }

  get operator(): RunningOperator {
    return this.#operator;
  }

  /** Another tenant's change is in force within five seconds, in the proxies, and the operator is well and small. */
  async nobodyElseIsHurt(): Promise<void> {
    this.#changes += 1;
    const [name, generation] = [`x${this.#changes}`, this.#changes + 1];
    const backends = [
      { name: 'a', replicas: 1 },
      { name, external: { address: `192.0.2.${this.#changes}` } },
    ];
    await this.good.applyPool('p', { backends, podTemplate: aPodTemplate(), proxy: { maxConnections: 2_000 } });
    const isSynced = async (): Promise<boolean> => {
      const status = await this.good.status('p');
      const backend = status?.backends.find((each) => each.name === name);
      const synced = status?.conditions.find(({ type }) => type === 'ProxiesSynced');
      return backend !== undefined && synced?.status === 'True' && status?.observedGeneration === generation;
    };
    await until('the change of another tenant is in force', isSynced, 5_000, async () => ({
      status: await this.good.status('p'),
      logs: this.good.tails(),
    }));
    expect(await answer(this.operator, '/healthz')).toBe(200);
    expect(await answer(this.operator, '/readyz')).toBe(200);
    expect(this.operator.process.exitCode).toBeNull();
    expect(await this.#peakKib()).toBeLessThan(LIMIT_KIB);
  }

  /** Starts the operator again, in the cluster as the tenant has left it. */
  async restart(): Promise<void> {
    await this.good.stopOperator(this.#operator);
    this.#operator = await startIn(this.good, this.bad);
  }

  async stop(): Promise<void> {
    await this.good.stop();
    await this.bad.stop();
  }

  /** The most that the operator has ever had in memory. */
  async #peakKib(): Promise<number> {
    const text = await readFile(`/proc/${this.operator.process.pid}/status`, 'utf8');
    return Number(/VmHWM:\s+([0-9]+) kB/.exec(text)?.[1] ?? Number.NaN);
  }
}

async function startIn(good: TestCluster, bad: TestCluster): Promise<RunningOperator> {
  const operator = await good.startOperator({
    args: ['--namespaces', `${good.namespace},${bad.namespace}`],
    env: { NODE_OPTIONS: HEAP },
  });
  await good.untilReady(operator);
  return operator;
}
