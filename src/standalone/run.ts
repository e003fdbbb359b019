import { durationMs } from '../api/v1alpha1/index.ts';
import { stopHaproxy } from '../haproxy/supervisor.ts';
import { type Clock, systemClock } from '../runtime/clock.ts';
import type { CccamError } from '../runtime/errors.ts';
import { Shutdown } from '../runtime/shutdown.ts';
import { followFile } from './file-follower.ts';
import { createOutput, type Output, type OutputKind } from './output.ts';
import { PatientStream } from './patient-stream.ts';
import { openStandalone, type Standalone, type StandaloneOptions } from './standalone.ts';

/** Options of `cccam-operator run`. */
export interface RunOptions extends StandaloneOptions {
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
  const stream = new PatientStream(1, base);
  const output = createOutput(options.output, options.once, stream, () => base.wall());
  const shutdown = new Shutdown();
  try {
    const standalone = await openStandalone(options, output, base, shutdown.stopping);
    return options.once ? await serveOnce(standalone, shutdown) : await serve(standalone, options, output, shutdown);
  } finally {
    output.end();
    await stream.finish(options.once ? shutdown.stopping : null);
    shutdown.dispose();
  }
}

/** Converges until the pool serves, and leaves HAProxy serving. */
async function serveOnce(standalone: Standalone, shutdown: Shutdown): Promise<number> {
  const done = new AbortController();
  const { clock } = standalone;
  const converging = standalone.converger.run(done.signal);
  const limit = clock.monotonic() + ONCE_LIMIT_MS;
  while (!standalone.controller.settled && !shutdown.stopping.aborted && clock.monotonic() < limit)
    await clock.sleep(ONCE_LOOK_MS, shutdown.stopping);
  done.abort();
  await converging;
  await standalone.flush();
  return standalone.controller.isReady ? 0 : 1;
}

async function serve(standalone: Standalone, options: RunOptions, output: Output, shutdown: Shutdown): Promise<number> {
  const work = new AbortController();
  const tasks = Promise.all([
    standalone.converger.run(work.signal),
    standalone.keeper.run({ onStart: () => standalone.converger.wake(), onWritten: () => standalone.config.forget() }, work.signal),
    follow(standalone, options.file, work.signal),
    standalone.http?.keepTrying(work.signal),
  ]);
  try {
    await Promise.race([shutdown.requested(), tasks]); // together they only end by themselves when one fails
  } finally {
    work.abort();
    await tasks;
    await standalone.flush();
  }
  await stop(standalone, options, output, shutdown);
  await standalone.http?.close();
  return 0;
}

async function follow({ acceptance, clock, seen }: Standalone, file: string, signal: AbortSignal): Promise<void> {
  const listener = {
    onText: (text: string): void => acceptance.take(text),
    onError: (error: CccamError): void => acceptance.unreadable(error),
    looksUnfinished: (text: string): boolean => acceptance.looksUnfinished(text),
  };
  await followFile({ path: file, first: seen, listener, clock }, signal);
}

async function stop(standalone: Standalone, options: RunOptions, output: Output, shutdown: Shutdown): Promise<void> {
  const { masterPid } = standalone.keeper;
  if (masterPid === null) return;
  const subject = standalone.controller.pool.metadata.name;
  const graceMs = options.graceMs ?? durationMs(standalone.controller.pool.spec.drain.deadline);
  const sessions = standalone.controller.status?.sessions ?? 0;
  const message = `no new sessions; ${sessions} may continue for ${Math.round(graceMs / 1_000)} s. A second signal cuts them off at once.`;
  output.event({ severity: 'Normal', reason: 'Stopping', subject, message });
  const cut = await stopHaproxy(
    masterPid,
    { limitMs: graceMs, sockets: standalone.folder.sockets, clock: standalone.clock },
    shutdown.forced,
  );
  const end = cut === 0 ? 'no session was cut off' : `${cut ?? 'an unknown number of'} sessions were cut off`;
  output.event({ severity: cut === 0 ? 'Normal' : 'Warning', reason: 'Stopped', subject, message: end });
}
