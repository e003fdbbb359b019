import { rm } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { readBack } from '../../../src/haproxy/readback.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { newDraft } from '../../soak/draft.ts';
import { SERVERS, walk } from '../../soak/walk.ts';
import type { HaproxyBinary } from '../../support/binaries.ts';
import { until } from '../../support/until.ts';
import { TestBox } from '../box.ts';
import { Walker } from './walker.ts';

/** What is asked of a walk: the same seed takes the same steps. */
export interface WalkArgs {
  readonly seed: number;
  readonly steps: number;
  readonly haproxy: HaproxyBinary;
}

/** What came of it. Everything that is wrong is in `wrong`. */
export interface WalkResult {
  readonly edits: number;
  readonly faults: number;
  readonly sessions: number;
  readonly lost: number;
  readonly wrong: readonly unknown[];
  /** The steps as they were taken, with times. */
  readonly story: readonly string[];
}

/** Longest wait until what was refused is tried again, and drains are over. */
const SETTLE_MS = 200_000;
const CLIENTS = 40;

/** Takes a walk, and compares its end with a fresh start with the same file. */
export async function play({ haproxy, seed, steps }: WalkArgs): Promise<WalkResult> {
  const box = await TestBox.create(haproxy, SERVERS, 12_345);
  try {
    const walker = new Walker(box, newDraft(SERVERS));
    await walker.begin(CLIENTS);
    for (const step of walk(seed, steps)) await walker.take(step);
    await walker.end();
    const wrong: unknown[] = [];
    await settled(box, walker).catch((thrown: unknown) => wrong.push({ unsettled: String(thrown) }));
    const after = await facts(box, walker.spoiled);
    wrong.push(...walker.unexplained.map((loss) => ({ unexplained: loss })));
    const served = walker.counts;
    await freshStart(box);
    const differs = await until(
      'a fresh start ends in the same way',
      async () => same(after, await facts(box, walker.spoiled)),
      60_000,
    ).then(
      () => null,
      async () => ({ walked: after, fresh: await facts(box, walker.spoiled) }),
    );
    if (differs !== null) wrong.push(differs);
    return {
      ...served,
      wrong,
      story: wrong.length === 0 ? [] : [...walker.story, ...box.news.slice(-60).map((line) => JSON.stringify(line))],
    };
  } finally {
    await box.dispose();
  }
}

/** Everybody is served, nothing is being drained that does not have to be, and HAProxy runs what was asked for. */
async function settled(box: TestBox, walker: Walker): Promise<void> {
  const isSettled = (): boolean => {
    const states = box.status?.backends.flatMap(({ servers }) => servers.map(({ state }) => state)) ?? [];
    const fine = ['Accepted', 'ProxiesSynced', 'Ready'].every((type) => box.condition(type) === 'True');
    return fine && walker.areAllServed && states.every((state) => ['Up', 'Full', 'Draining', 'Drained'].includes(state));
  };
  await until('it is settled', isSettled, SETTLE_MS, () => [box.status, walker.waiting]);
  await systemClock.sleep(6_000); // the longest deadline of a drain
  await until('it is settled', isSettled, SETTLE_MS, () => [box.status, walker.waiting]);
}

async function freshStart(box: TestBox): Promise<void> {
  await box.endClients();
  box.terminate();
  box.terminate();
  await until('the program has ended', () => box.hasExited, 30_000);
  await rm(box.stateDir, { recursive: true });
  await box.start(false);
  await until('it is ready', () => box.condition('Ready') === 'True', 30_000);
}

/** What a server of HAProxy is; null where a walk leaves something behind for good reason. */
interface ServerFacts {
  readonly admin: string;
  readonly backup: boolean;
  readonly weight: number;
  readonly operational: string | null;
  readonly max: number | null;
}

interface Facts {
  readonly structure: string | null;
  readonly servers: Readonly<Record<string, ServerFacts>>;
}

/** What HAProxy is, but for ids, and for limits of servers that have shown one of their own. */
async function facts(box: TestBox, spoiled: ReadonlySet<string>): Promise<Facts> {
  const { current, old } = await readBack(box.sockets, new Map());
  const servers = current.servers.map(({ admin, backup, maxConnections, name, operational, weight }): [string, ServerFacts] => {
    const elsewhere = old.reduce((sum, worker) => sum + (worker.sessions?.get(name) ?? 0), 0); // they take places of the server
    const allHeld = elsewhere > 0 && operational === 'down';
    const learned = [...spoiled].some((host) => name.includes(`-${host}:`));
    const max = learned || allHeld ? null : maxConnections + elsewhere;
    return [name, { admin, backup, weight, operational: admin === 'ready' && !allHeld ? operational : null, max }];
  });
  return { structure: current.structureHash, servers: Object.fromEntries(servers.sort(([a], [b]) => a.localeCompare(b))) };
}

function same(walked: Facts, fresh: Facts): boolean {
  const servers = Object.entries(fresh.servers).map(([name, server]): [string, ServerFacts] => {
    const known = walked.servers[name];
    const operational = known?.operational === null ? null : server.operational;
    return [name, { ...server, operational, max: known?.max === null ? null : server.max }];
  });
  return isDeepStrictEqual(walked, { ...fresh, servers: Object.fromEntries(servers) });
}
