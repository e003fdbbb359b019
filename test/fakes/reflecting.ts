import type { ServerResponse } from 'node:http';
import { Reflector, type ReflectorOptions, type ReflectorReport } from '../../src/kube/reflector.ts';
import type { KubeObject } from '../../src/kube/resource.ts';
import { Store, type Stored } from '../../src/kube/store.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { type Call, FakeApiServer, json } from './api-server.ts';
import { type FakeClock, settle } from './clock.ts';

export const CONFIG_MAP = { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps' };
const end: AbortController[] = [];
const servers: FakeApiServer[] = [];

/** Has a server of the test's own stopped with the others. */
export function stopAfterwards(server: FakeApiServer): void {
  servers.push(server);
}

/** Ends every reflector and server that was made here. */
export async function endReflectors(): Promise<void> {
  for (const each of end.splice(0)) each.abort();
  for (const each of servers.splice(0)) await each.stop();
}

/** What the tests keep of an object. */
export function project(object: KubeObject): Stored & { readonly fields: number } {
  const { name, namespace = '', uid = '', resourceVersion = '' } = object.metadata;
  return { name, namespace, uid, resourceVersion, fields: Object.keys(object.metadata).length };
}

/** A reflector on a server whose lists and watches the test answers. */
export async function reflecting(
  onList: (call: Call, response: ServerResponse, nth: number) => void,
  onWatch: (call: Call, response: ServerResponse, nth: number) => void,
  changes: Partial<ReflectorOptions<Stored>> = {},
) {
  const server = await FakeApiServer.start((call, response) => {
    if (call.query.get('limit') === '1') return json(response, 200, { metadata: { resourceVersion: '1000' } });
    if (call.query.get('watch') === null) return onList(call, response, server.lists.length);
    if (response.destroyed) return;
    onWatch(call, response, server.watches.length);
  });
  servers.push(server);
  const reports: ReflectorReport[] = [];
  const controller = new AbortController();
  end.push(controller);
  const seen: string[] = [];
  const store = new Store<Stored>(
    project,
    () => '',
    ({ after, before }) => seen.push(after === null ? `-${before?.name}` : `+${after.name}`),
  );
  const reflector = new Reflector<Stored>({
    client: server.client(),
    type: CONFIG_MAP,
    namespace: 'ns',
    selectors: { labelSelector: 'a=b' },
    store,
    project,
    clock: systemClock,
    random: () => 0,
    report: (report) => reports.push(report),
    ...changes,
  });
  return { server, store, reflector, reports, controller, seen, run: () => reflector.run(controller.signal) };
}

/** What a list of these objects answers. */
export const listOf = (...objects: unknown[]) => ({ metadata: { resourceVersion: '100' }, items: objects });

/** Answers a watch without an event. */
export function open(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.flushHeaders();
}

/** How many of the reports tell of a failure. */
export function failures(reports: readonly ReflectorReport[]): number {
  return reports.filter((report) => report.kind === 'failed').length;
}

/** Lets seconds pass until something holds that waits for the network, too. @throws Error after a hundred of them */
export async function passing(clock: FakeClock, what: string, holds: () => boolean): Promise<void> {
  for (let second = 0; !holds(); second += 1) {
    if (second > 100) throw new Error(`never came true: ${what}`);
    await clock.advance(1_000);
    for (let turn = 0; turn < 20; turn += 1) await settle();
  }
}

/** The machine's clock, with every wait shortened to a few milliseconds. */
export function shortened() {
  return { ...systemClock, sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(Math.min(ms, 5), signal) };
}
