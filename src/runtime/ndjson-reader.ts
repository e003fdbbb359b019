import type { Readable } from 'node:stream';
import { Allowance } from './allowance.ts';
import type { Clock } from './clock.ts';
import { CccamError, messageOf } from './errors.ts';
import { lines } from './lines.ts';
import { Silence } from './silence.ts';
import type { StreamLimits } from './stream-limits.ts';

/** A stream of lines of JSON. */
export interface NdjsonStream<Line> {
  /** Who sends it, for errors. */
  readonly peer: string;
  /** What the sender may send, as things are now. */
  readonly limits: () => StreamLimits;
  readonly clock: Clock;
  /** What the sender has sent lately, over earlier connections, too; begins with nothing unless given. */
  readonly meter?: Meter;
  /** Parses a line. Whatever it throws means that the line is not of the format, and ends the stream. */
  readonly parse: (text: string) => Line;
  /** Takes a line. A RangeError means that the peer has sent too much. */
  readonly onLine: (line: Line) => void;
}

/** Counts what one sender sends: one that is disconnected and comes back keeps its count. */
export class Meter {
  readonly #bytes: Allowance;
  readonly #lines: Allowance;

  constructor(clock: Clock) {
    this.#bytes = new Allowance(clock);
    this.#lines = new Allowance(clock);
  }

  /** @returns what there is too much of, or null */
  count(chunk: Buffer, { bytes, lines }: Pick<StreamLimits, 'bytes' | 'lines'>): string | null {
    if (!this.#bytes.take(chunk.length, bytes)) return `more than ${bytes.perSecond} bytes a second`;
    if (!this.#lines.take(countLines(chunk), lines)) return `more than ${lines.perSecond} lines a second`;
    return null;
  }
}

/**
 * Reads lines until the stream ends.
 *
 * @throws CccamError CCP_STREAM_LOST when it broke or fell silent, CCP_STREAM_LIMIT when the peer sent too much, CCP_STREAM_UNREADABLE for
 *   a line that is not of the format, CCP_INTERNAL when taking a line failed
 */
export async function readNdjson<Line>(source: Readable, stream: NdjsonStream<Line>): Promise<void> {
  const over = new AbortController();
  const { lineBytes, silenceMs } = stream.limits();
  const silence = new Silence(stream.clock, silenceMs);
  const watching = silence.watch(source, over.signal);
  try {
    for await (const text of lines(metered(source, stream), lineBytes)) {
      silence.received();
      take(text, stream);
    }
  } catch (thrown) {
    if (thrown instanceof CccamError) throw thrown;
    if (thrown instanceof RangeError) throw tooMuch(stream.peer, thrown.message);
    throw streamLost(stream.peer, messageOf(thrown));
  } finally {
    over.abort();
    source.destroy();
    await watching;
  }
}

/** The error of a connection that could not be made, broke, or fell silent. */
export function streamLost(peer: string, message: string): CccamError {
  return new CccamError('CCP_STREAM_LOST', {
    subject: peer,
    message,
    remedy: 'Reconnecting. Check the pod, and the network between the two.',
    retryable: true,
  });
}

function take<Line>(text: string, { onLine, parse, peer }: NdjsonStream<Line>): void {
  const line = parsed(text, parse, peer);
  try {
    onLine(line);
  } catch (thrown) {
    if (thrown instanceof CccamError || thrown instanceof RangeError) throw thrown;
    throw new CccamError('CCP_INTERNAL', {
      subject: peer,
      message: `a line of it could not be taken: ${messageOf(thrown).slice(0, 300)}`,
      remedy: 'Reconnecting. Please report this with the log around it.',
      retryable: true,
      cause: thrown,
    });
  }
}

function parsed<Line>(text: string, parse: (text: string) => Line, peer: string): Line {
  try {
    return parse(text);
  } catch (thrown) {
    throw new CccamError('CCP_STREAM_UNREADABLE', {
      subject: peer,
      message: `sent a line that this version cannot read: ${messageOf(thrown).slice(0, 300)}`,
      remedy: 'Operator and agents may be one version apart, not more. Update the older one.',
      retryable: true,
      cause: thrown,
    });
  }
}

async function* metered(
  source: Readable,
  { clock, limits, meter = new Meter(clock), peer }: Pick<NdjsonStream<unknown>, 'clock' | 'limits' | 'meter' | 'peer'>,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of source as AsyncIterable<Buffer>) {
    const excess = meter.count(chunk, limits());
    if (excess !== null) throw tooMuch(peer, excess);
    yield chunk;
  }
}

function countLines(chunk: Buffer): number {
  let count = 0;
  for (let at = chunk.indexOf(0x0a); at >= 0; at = chunk.indexOf(0x0a, at + 1)) count += 1;
  return count;
}

function tooMuch(peer: string, message: string): CccamError {
  return new CccamError('CCP_STREAM_LIMIT', {
    subject: peer,
    message: `sent too much: ${message}`,
    remedy: 'Disconnected, and tried again later. Check what runs in that pod.',
    retryable: true,
  });
}
