import { readFileSync } from 'node:fs';
import { systemClock } from '../../src/runtime/clock.ts';
import { metrics, total } from '../api-server/metrics.ts';
import type { RunningOperator } from '../api-server/test-cluster.ts';
import { until } from '../support/until.ts';

/** Waits until so many pools were looked at and none waits any more. */
export async function settled(operator: RunningOperator, pools: number, limitMs = 60_000): Promise<void> {
  let last = '';
  await until(
    'everything is converged',
    async () => {
      const text = await metrics(operator);
      const state = [
        total(text, 'cccam_operator_pools'),
        total(text, 'workqueue_depth'),
        await writes(operator),
        total(text, 'controller_runtime_reconcile_total'),
      ].join(' ');
      const same = state === last;
      last = state;
      if (!same) await systemClock.sleep(500); // apart, or the same state twice would say nothing
      return (
        same &&
        total(text, 'cccam_operator_pools') >= pools &&
        total(text, 'workqueue_depth') === 0 &&
        total(text, 'controller_runtime_reconcile_total') >= pools
      );
    },
    limitMs,
    () => [last, readFileSync(operator.logFile, 'utf8').split('\n').slice(-10)],
  );
}

/** Writes but for the lease. */
export async function writes(operator: RunningOperator): Promise<number> {
  const text = await metrics(operator);
  return [...text.matchAll(/^rest_client_requests_total\{method="(?:PATCH|POST|DELETE)"[^}]*\} (\d+)$/gm)].reduce(
    (sum, match) => sum + Number(match[1]),
    0,
  );
}

/** CPU time that an operator has used, in hundredths of a second. */
export function cpuTicks(operator: RunningOperator): number {
  const fields = readFileSync(`/proc/${operator.process.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return Number(fields[11]) + Number(fields[12]);
}

/** Memory that an operator holds, for a table. */
export function memory(operator: RunningOperator): string {
  const status = readFileSync(`/proc/${operator.process.pid}/status`, 'utf8');
  const of = (name: string): number => Math.round(Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]) / 1_024);
  return `${of('VmRSS')} MiB (${of('RssAnon')})`;
}
