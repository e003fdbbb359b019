import { connect, type Socket } from 'node:net';
import { systemClock, TimeLimit } from '../runtime/clock.ts';
import { CccamError, messageOf } from '../runtime/errors.ts';

/** How long HAProxy may take for one exchange; it answers in well under 20 ms even with a thousand servers. */
const TIME_LIMIT_MS = 1_000;
/** A line over 16 kB resets the connection; batches stay far below, so that the command after a long one is not cut. */
const BATCH_BYTES = 8_192;
/** Longest answer: ten times what ten thousand servers or a full table give. The process behind the socket must not own our memory. */
const MOST_BYTES = 16 * 1_048_576;
const PROMPT = '\n> ';

/** The control sockets of one HAProxy. Every call opens its own connection: after a reload a kept one would go on speaking to the old worker. */
export interface ControlSockets {
  /** Path of the runtime socket of the current worker. */
  readonly runtime: string;
  /** Path of the master's socket. */
  readonly master: string;
}

/**
 * Sends commands to the current worker, one after the other over one connection.
 *
 * @returns the answers in the same order, each without its trailing line ends
 * @throws CccamError CCP_HAPROXY_UNREACHABLE when the socket refuses, ends early or takes more than a second per batch
 */
export async function runCommands(path: string, commands: readonly string[]): Promise<string[]> {
  const answers: string[] = [];
  for (const batch of batches(commands)) {
    // In prompt mode each answer ends with a prompt, which tells empty answers and answers with empty lines apart.
    const text = await exchange(path, `prompt\n${batch.join('\n')}\nquit\n`);
    const parts = text.split(PROMPT).slice(1);
    if (parts.length < batch.length) {
      throw unreachable(path, `${parts.length} answers to ${batch.length} commands`);
    }
    answers.push(...parts.slice(0, batch.length).map((part) => part.replace(/\n+$/, '')));
  }
  return answers;
}

/**
 * Sends one command to the master. The master keeps the connection open after its answer, so we close our half.
 *
 * @throws CccamError CCP_HAPROXY_UNREACHABLE when the socket refuses or takes more than a second (or `timeLimitMs`)
 */
export async function runMasterCommand(path: string, command: string, timeLimitMs = TIME_LIMIT_MS): Promise<string> {
  return (await exchange(path, `${command}\n`, timeLimitMs)).replace(/\n+$/, '');
}

/** How long an answer may take that is read piece by piece: a worker with ten thousand sessions tells them in some 150 ms. */
const STREAM_LIMIT_MS = 5_000;

/**
 * Sends one command and hands its answer on as it comes, for answers that are too long to be kept. Who stops reading ends it.
 *
 * @throws CccamError CCP_HAPROXY_UNREACHABLE as the other calls do
 */
export async function* streamCommand(path: string, command: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  using limit = new TimeLimit(systemClock, STREAM_LIMIT_MS, signal);
  const socket = connect({ path, signal: limit.signal });
  try {
    socket.end(`${command}\n`);
    for await (const chunk of socket) yield chunk as Uint8Array;
  } catch (thrown) {
    throw unreachable(path, limit.passed ? `no complete answer within ${STREAM_LIMIT_MS} ms` : messageOf(thrown), thrown);
  } finally {
    socket.destroy();
  }
}

function* batches(commands: readonly string[]): Generator<string[]> {
  let batch: string[] = [];
  let bytes = 0;
  for (const command of commands) {
    if (batch.length > 0 && bytes + command.length > BATCH_BYTES) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(command);
    bytes += command.length + 1;
  }
  if (batch.length > 0) yield batch;
}

async function exchange(path: string, request: string, timeLimitMs = TIME_LIMIT_MS): Promise<string> {
  using limit = new TimeLimit(systemClock, timeLimitMs);
  const socket = connect({ path, signal: limit.signal });
  try {
    socket.end(request);
    return await readAll(socket);
  } catch (thrown) {
    throw unreachable(path, limit.passed ? `no complete answer within ${timeLimitMs} ms` : messageOf(thrown), thrown);
  } finally {
    socket.destroy();
  }
}

async function readAll(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MOST_BYTES) throw new Error(`an answer of more than ${MOST_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function unreachable(path: string, message: string, cause?: unknown): CccamError {
  return new CccamError('CCP_HAPROXY_UNREACHABLE', {
    subject: path,
    message,
    remedy: 'Retrying. Check that HAProxy is running, and that this process may open the socket.',
    retryable: true,
    cause,
  });
}
