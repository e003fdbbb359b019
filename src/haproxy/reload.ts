import type { Clock } from '../runtime/clock.ts';
import { CccamError } from '../runtime/errors.ts';
import { type Processes, readProcesses } from './readback.ts';
import { type ControlSockets, runMasterCommand } from './runtime-socket.ts';

/** Below this age of a worker a reload loses the stick table: the new worker asks the old one, which has not got it all itself yet (`PEER_RESYNC_TIMEOUT`, 5 s, twice and some room). */
export const RELOAD_SPACING_MS = 15_000;
const WAIT_LIMIT_MS = 10_000;
const POLL_MS = 20;
/** A master that becomes another version never answers, and holds the connection open (3.0 to 2.6): its table of processes tells. */
const ASK_LIMIT_MS = 1_000;

/**
 * Lets the master start a new worker with the file as it stands, and waits until the master says that it took over. Version 2.6
 * answers nothing in success and failure alike and its socket refuses for up to 95 ms, so the master's table of processes decides.
 *
 * @throws CccamError CCP_HAPROXY_RELOAD_FAILED when the old worker keeps serving
 */
export async function reload(sockets: ControlSockets, clock: Clock, signal: AbortSignal): Promise<void> {
  const before = await readProcesses(sockets);
  const deadline = clock.monotonic() + WAIT_LIMIT_MS;
  await runMasterCommand(sockets.master, 'reload', ASK_LIMIT_MS).catch(ignoreBrokenAnswer);
  while (!signal.aborted && clock.monotonic() < deadline) {
    const after = await readProcesses(sockets).catch(ignoreBrokenAnswer);
    if (after !== null && after.failedReloads > before.failedReloads) throw failed('the new worker did not start');
    if (after !== null && tookOver(before, after)) return;
    await clock.sleep(POLL_MS, signal);
  }
  throw failed(`no new worker within ${WAIT_LIMIT_MS} ms`);
}

function tookOver(before: Processes, after: Processes): boolean {
  // The master's count of reloads begins again where another version of HAProxy takes over.
  return after.currentPid !== null && after.currentPid !== before.currentPid && !before.oldPids.includes(after.currentPid);
}

/** While the master re-executes itself its socket refuses; the loop asks again, and the time limit ends it. */
function ignoreBrokenAnswer(thrown: unknown): null {
  if (thrown instanceof CccamError && thrown.code === 'CCP_HAPROXY_UNREACHABLE') return null;
  throw thrown;
}

function failed(message: string): CccamError {
  return new CccamError('CCP_HAPROXY_RELOAD_FAILED', {
    subject: 'reload',
    message,
    remedy: 'The old configuration stays active. See the log of HAProxy.',
    retryable: true,
  });
}
