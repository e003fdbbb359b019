import { durationMs } from '../api/v1alpha1/index.ts';
import { stopHaproxy } from '../haproxy/supervisor.ts';
import { type Clock, systemClock } from '../runtime/clock.ts';
import type { CccamError } from '../runtime/errors.ts';
import { Shutdown } from '../runtime/shutdown.ts';
import { type Box, type BoxOptions, openBox } from './box.ts';
import { followFile } from './file-follower.ts';
import { createOutput, type Output, type OutputKind } from './output.ts';

/** Options of `cccam-operator run`. */
export interface RunOptions extends BoxOptions {
  readonly output: OutputKind;
  /** How long sessions may live on after SIGTERM, or null for the pool's own drain deadline. */
  readonly graceMs: number | null;
}

/** How long `--once` waits until the pool serves. */
const ONCE_LIMIT_MS = 30_000;
const ONCE_LOOK_MS = 50;

/**
 * Serves one pool on this machine, without Kubernetes, until SIGTERM or SIGINT.
 *
 * @returns the exit code: 0, or 1 when `once` found the pool not ready
 * @throws CccamError for everything that keeps it from starting
 */
export async function run(options: RunOptions, base: Clock = systemClock): Promise<number> {
  const output = createOutput(options.output, options.once, process.stdout, () => base.wall());
  const shutdown = new Shutdown();
  try {
    const box = await openBox(options, output, base, shutdown.stopping);
    return options.once ? await serveOnce(box, shutdown) : await serve(box, options, output, shutdown);
  } finally {
    output.end();
    shutdown.dispose();
  }
}

/** Converges until the pool serves, and leaves HAProxy serving. */
async function serveOnce(box: Box, shutdown: Shutdown): Promise<number> {
  const done = new AbortController();
  const { clock } = box;
  const converging = box.converger.run(done.signal);
  const limit = clock.monotonic() + ONCE_LIMIT_MS;
  while (!box.controller.settled && !shutdown.stopping.aborted && clock.monotonic() < limit)
    await clock.sleep(ONCE_LOOK_MS, shutdown.stopping);
  done.abort();
  await converging;
  await box.flush();
  return box.controller.isReady ? 0 : 1;
}

async function serve(box: Box, options: RunOptions, output: Output, shutdown: Shutdown): Promise<number> {
  const work = new AbortController();
  const tasks = Promise.all([
    box.converger.run(work.signal),
    box.keeper.run(() => box.converger.wake(), work.signal),
    follow(box, options.file, work.signal),
  ]);
  try {
    await Promise.race([shutdown.requested(), tasks]); // a task only ends by itself when it fails
  } finally {
    work.abort();
    await tasks;
    await box.flush();
  }
  await stop(box, options, output, shutdown);
  await box.http?.close();
  return 0;
}

async function follow({ acceptance, clock, seen }: Box, file: string, signal: AbortSignal): Promise<void> {
  const listener = {
    onText: (text: string): void => acceptance.take(text),
    onError: (error: CccamError): void => acceptance.unreadable(error),
    looksUnfinished: (text: string): boolean => acceptance.looksUnfinished(text),
  };
  await followFile({ path: file, first: seen, listener, clock }, signal);
}

async function stop(box: Box, options: RunOptions, output: Output, shutdown: Shutdown): Promise<void> {
  const { masterPid } = box.keeper;
  if (masterPid === null) return;
  const subject = box.controller.pool.metadata.name;
  const graceMs = options.graceMs ?? durationMs(box.controller.pool.spec.drain.deadline);
  const sessions = box.controller.status?.sessions ?? 0;
  const message = `no new sessions; ${sessions} may live on for ${Math.round(graceMs / 1_000)} s. A second signal ends them at once.`;
  output.event({ severity: 'Normal', reason: 'Stopping', subject, message });
  const cut = await stopHaproxy(masterPid, { limitMs: graceMs, sockets: box.folder.sockets, clock: box.clock }, shutdown.forced);
  const end = cut === 0 ? 'every session had ended' : `${cut ?? 'an unknown number of'} sessions were cut off`;
  output.event({ severity: cut === 0 ? 'Normal' : 'Warning', reason: 'Stopped', subject, message: end });
}
