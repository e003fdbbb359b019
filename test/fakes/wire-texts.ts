import { ObservationStream } from '../../src/proxy/observation-stream.ts';
import type { BackendLine, ProxyLine } from '../../src/wire/agent-link.ts';
import { preStopHook } from '../../src/wire/pre-stop.ts';
import { proxyConfigText } from '../../src/wire/proxy-config.ts';
import { savedStateText } from '../../src/wire/saved-state.ts';
import { anObservation } from './observations.ts';
import { aModel, aServer } from './pools.ts';

const BACKEND: BackendLine = { draining: true, deadlineInMs: 60_000 };
const PROXY: ProxyLine = { proxy: 'p-haproxy-1', routes: true };

/** A text of every format as it is written now, with every field in it; by file name. */
export function wireTexts(): ReadonlyMap<string, string> {
  return new Map([
    [
      'proxy-config.json',
      proxyConfigText(aModel([aServer(1), aServer(2, { state: 'drain', deadlineAt: 5_000 })]), {
        agents: [{ server: aServer(1).name, port: 9_322 }],
        ends: [{ proxy: 'p-haproxy-1', deadlineAt: 9_000 }],
        shares: [{ proxy: 'p-haproxy-1', limits: [[1, 40]] }],
      }),
    ],
    ['saved-state.json', savedStateText({ spec: { backends: [] }, roster: [SAVED] })],
    ['observation.ndjson', observationText()],
    ['backend-line.json', JSON.stringify(BACKEND)],
    ['proxy-line.json', JSON.stringify(PROXY)],
    ['pre-stop.json', JSON.stringify(preStopHook({ deadlineMs: 60_000, close: true, helper: true }, 9_322))],
  ]);
}

const SAVED = {
  name: 'p-a-1-10.0.0.1:12000',
  id: 1,
  backend: 'a',
  address: '10.0.0.1',
  port: 12_000,
  weight: 256,
  maxConnections: 500,
  role: 'Active',
  drain: { kind: 'draining', reason: 'requested', since: 1_000 },
  deadlineMs: 60_000,
  pod: { name: 'p-a-1', uid: 'u' },
  containersNotReady: true,
  shares: { 'p-haproxy-1': 250 },
} as const;

/** A snapshot, a server that goes, and a heartbeat, as the agent publishes them. */
function observationText(): string {
  let time = 0;
  const stream = new ObservationStream({ now: () => time, wall: () => time, monotonic: () => time, sleep: async () => undefined });
  const texts: string[] = [];
  const subscriber = {
    writableLength: 0,
    writeHead: () => subscriber,
    flushHeaders: () => undefined,
    on: () => subscriber,
    write: (text: string) => texts.push(text),
  };
  stream.publish(anObservation({ cause: 'refused', health: 'refusing', learnedLimit: 3 }, { localError: 'EMFILE', configRevision: 'r' }));
  stream.add(subscriber as unknown as Parameters<ObservationStream['add']>[0]);
  stream.publish(anObservation({}, { servers: [] }));
  time = 10_000;
  stream.publish(anObservation({}, { servers: [] }));
  return texts.join('');
}
