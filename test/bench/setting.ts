import type { SimulatedClient } from '../../src/simulate/client.ts';
import type { SimulatedServer } from '../../src/simulate/server.ts';
import { TestBox } from '../haproxy/box.ts';
import type { HaproxyBinary } from '../support/binaries.ts';
import { freePort } from '../support/ports.ts';
import { guideHaproxy, guideNginx, type Rival } from './rivals.ts';

/** What is measured in the same way for us and for a rival: a port, servers behind it, and a way to set their weights. */
export interface Contender {
  readonly name: string;
  readonly box: TestBox;
  readonly port: number;
  readonly servers: readonly SimulatedServer[];
  /** Puts weights in force, by index; null takes the server out of rotation in the way that this contender has. */
  set(weights: readonly (number | null)[]): Promise<void>;
  /** A change for which HAProxy must be reloaded. @param turn makes each of them another one */
  restructure(turn: number): Promise<void>;
  clients(count: number, options?: Parameters<TestBox['clients']>[1]): readonly SimulatedClient[];
  reloads(): Promise<number>;
  /** Pid of the process that carries the sessions. @throws when there is not one such process */
  worker(): Promise<number>;
  stop(): Promise<void>;
}

/** Ours: the real program on a real HAProxy. */
export async function ours(binary: HaproxyBinary, servers: number, spec: Record<string, unknown> = {}): Promise<Contender> {
  const box = await TestBox.create(binary, servers);
  const set = async (weights: readonly (number | null)[], more: Record<string, unknown> = {}): Promise<void> => {
    const backends = weights.map((weight, index) =>
      box.backend(index + 1, { capacity: { maxConnections: 6_000 }, ...(weight === null ? { drain: { enabled: true } } : { weight }) }),
    );
    await box.save({ backends, ...spec, ...more });
  };
  await set(box.servers.map(() => 100));
  await box.start();
  return {
    name: 'cccam-operator',
    box,
    port: box.port,
    servers: box.servers,
    set,
    restructure: async (turn) =>
      await set(
        box.servers.map(() => 100),
        { timeouts: { idle: `${30 + turn}m` } },
      ),
    clients: (count, options) => box.clients(count, options),
    reloads: async () => (await box.processes()).reloads,
    worker: async () => pidOf((await box.processes()).currentPid),
    stop: async () => await box.dispose(),
  };
}

/** The guide's way: one file, one reload per change. */
export async function rival(kind: 'guide' | 'guide + redispatch' | 'nginx', binary: HaproxyBinary, servers: number): Promise<Contender> {
  const port = await freePort();
  const box = await TestBox.create(binary, servers, port);
  const made: Rival = kind === 'nginx' ? await guideNginx(port) : await guideHaproxy(binary.path, port, kind === 'guide + redispatch');
  let applied = 0;
  const set = async (weights: readonly (number | null)[]): Promise<void> => {
    const kept = box.servers.flatMap((server, index) => {
      const weight = weights[index];
      return weight === null || weight === undefined ? [] : [{ server, weight }];
    });
    await made.apply(kept);
    applied += 1;
  };
  await set(box.servers.map(() => 100));
  return {
    name: made.name,
    box,
    port,
    servers: box.servers,
    set,
    restructure: async (turn) => await set(box.servers.map((_, index) => (index === 0 ? 100 + (turn % 2) : 100))),
    clients: (count, options) => box.clients(count, options),
    reloads: async () => applied - 1,
    worker: async () => pidOf(await made.worker()),
    stop: async () => {
      await box.dispose();
      await made.stop();
    },
  };
}

function pidOf(pid: number | null): number {
  if (pid === null) throw new Error('there is no one worker process');
  return pid;
}
