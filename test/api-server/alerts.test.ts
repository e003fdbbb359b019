import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { exportedMetrics } from '../fakes/exported-metrics.ts';

const run = promisify(execFile);
const ALERTS = 'charts/cccam-operator/files/alerts.yaml';
const DASHBOARD = 'charts/cccam-operator/files/dashboard.json';
const PROMTOOL = join(process.env['CCCAM_CACHE'] ?? `${process.env['HOME']}/.cache/cccam-operator`, 'promtool/promtool');

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ccp-alerts-'));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

describe('the alerts', () => {
  it('are rules that Prometheus understands', async () => {
    expect((await run(PROMTOOL, ['check', 'rules', ALERTS])).stdout).toContain('SUCCESS');
  });

  it('fire when something is wrong, and not before', async () => {
    const file = join(folder, 'alerts-test.yaml');
    await writeFile(file, stringify({ rule_files: [join(process.cwd(), ALERTS)], evaluation_interval: '1m', tests: ALERT_TESTS }));
    expect((await run(PROMTOOL, ['test', 'rules', file])).stdout).toContain('SUCCESS');
  });

  it('and the dashboard look only at metrics that there are', async () => {
    const known = new Set((await exportedMetrics()).map(({ name }) => name));
    const used = `${await readFile(ALERTS, 'utf8')}${await readFile(DASHBOARD, 'utf8')}`.matchAll(
      /\b(?:cccam|controller_runtime|rest_client|leader_election)_[a-z_]+/g,
    );
    const missing = [...used].map(([name]) => name.replace(/_bucket$/, '')).filter((name) => !known.has(name));
    expect(missing).toEqual([]);
  });
});

const quiet = (eval_time: string, alertname: string) => ({ eval_time, alertname, exp_alerts: [] });

const ALERT_TESTS = [
  {
    interval: '1m',
    input_series: [
      { series: 'cccam_pool_condition{namespace="tv",pool="p",condition="Ready",pod="o1"}', values: '1x5 0x20' },
      { series: 'cccam_pool_condition{namespace="tv",pool="q",condition="Ready",pod="o1"}', values: '1x30' },
      { series: 'leader_election_master_status{name="cccam-operator",pod="o1"}', values: '1x5 0x20' },
      { series: 'leader_election_master_status{name="cccam-operator",pod="o2"}', values: '0x10 1x20' },
    ],
    alert_rule_test: [
      quiet('6m', 'CccamPoolNotReady'),
      {
        eval_time: '9m',
        alertname: 'CccamPoolNotReady',
        exp_alerts: [
          {
            exp_labels: { severity: 'critical', namespace: 'tv', pool: 'p' },
            exp_annotations: {
              summary: 'Pool tv/p is not ready',
              description: 'No Active server is up, or a proxy does not run this generation. See `kubectl describe ccp -n tv p`.',
            },
          },
        ],
      },
      {
        eval_time: '9m',
        alertname: 'CccamOperatorHasNoLeader',
        exp_alerts: [{ exp_labels: { severity: 'critical' }, exp_annotations: noLeader() }],
      },
      quiet('15m', 'CccamOperatorHasNoLeader'),
    ],
  },
  {
    interval: '1m',
    input_series: [],
    // Nobody is there to tell that nobody leads.
    alert_rule_test: [
      {
        eval_time: '5m',
        alertname: 'CccamOperatorHasNoLeader',
        exp_alerts: [{ exp_labels: { severity: 'critical' }, exp_annotations: noLeader() }],
      },
    ],
  },
  {
    interval: '1m',
    input_series: [
      { series: 'cccam_backend_sockets{state="close_wait",pod="s"}', values: '60x60' },
      { series: 'cccam_backend_sockets{state="established",pod="s"}', values: '600x60' },
    ],
    alert_rule_test: [
      quiet('20m', 'CccamServerLeaksSockets'),
      {
        eval_time: '35m',
        alertname: 'CccamServerLeaksSockets',
        exp_alerts: [
          {
            exp_labels: { severity: 'warning', pod: 's', state: 'close_wait' },
            exp_annotations: {
              summary: 'The server in pod s does not close the sockets of clients that have left',
              description: '60 sockets are in CLOSE_WAIT. Drain the pod and delete it before it runs out of open files.',
            },
          },
        ],
      },
    ],
  },
];

function noLeader(): object {
  return { summary: 'No operator leads', description: 'Pools keep serving; changes take effect only when an operator leads again.' };
}
