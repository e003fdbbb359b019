import type { ServerResponse } from 'node:http';
import type { Clock } from './clock.ts';
import { sendText } from './http-server.ts';

/** Bounds of a publisher. */
export interface PublisherLimits {
  /** Subscribers in all. */
  readonly subscribers: number;
  /** Subscribers from one address. */
  readonly perAddress: number;
  /** A subscriber that has not read so many bytes is behind. */
  readonly backlogBytes: number;
  /** How long it may be behind, in milliseconds. Then it is disconnected; it comes back and gets everything again. */
  readonly behindMs: number;
}

interface Subscriber {
  readonly address: string;
  /** Length of the most that it got at once. */
  most: number;
  /** Since when it is behind, on the monotonic clock; null while it is not. */
  behindSince: number | null;
}

/** Sends lines of JSON to everyone who has subscribed. */
export class NdjsonPublisher {
  readonly #limits: PublisherLimits;
  readonly #clock: Clock;
  readonly #subscribers = new Map<ServerResponse, Subscriber>();

  constructor(limits: PublisherLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  get size(): number {
    return this.#subscribers.size;
  }

  /**
   * Adds a subscriber for as long as its connection lives.
   *
   * @param first what it gets at once
   * @returns false when there are too many already, or too many of its address; the client has its answer
   */
  add(response: ServerResponse, first: readonly object[]): boolean {
    const address = response.socket?.remoteAddress ?? '';
    if (this.size >= this.#limits.subscribers || this.#count(address) >= this.#limits.perAddress) {
      sendText(response, 503, 'there are too many subscribers\n');
      return false;
    }
    response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
    response.flushHeaders();
    const subscriber = { address, most: 0, behindSince: null };
    this.#subscribers.set(response, subscriber);
    response.on('close', () => this.#subscribers.delete(response));
    this.#send(response, subscriber, textOf(first));
    return true;
  }

  /** Sends lines to every subscriber. */
  publish(lines: readonly object[]): void {
    const text = textOf(lines);
    for (const [response, subscriber] of this.#subscribers) this.#send(response, subscriber, text);
  }

  #send(response: ServerResponse, subscriber: Subscriber, text: string): void {
    if (text === '') return;
    if (this.#isTooSlow(response.writableLength, subscriber)) {
      response.destroy();
    } else {
      subscriber.most = Math.max(subscriber.most, text.length);
      response.write(text);
    }
  }

  /** What comes at once may be megabytes, and a slow line takes seconds for them. */
  #isTooSlow(unread: number, subscriber: Subscriber): boolean {
    const { backlogBytes, behindMs } = this.#limits;
    if (unread <= backlogBytes) {
      subscriber.behindSince = null;
      return false;
    }
    const now = this.#clock.monotonic();
    subscriber.behindSince ??= now;
    return unread > backlogBytes + 2 * subscriber.most || now - subscriber.behindSince > behindMs;
  }

  #count(address: string): number {
    let count = 0;
    for (const other of this.#subscribers.values()) if (other.address === address) count += 1;
    return count;
  }
}

function textOf(lines: readonly object[]): string {
  return lines.map((line) => `${JSON.stringify(line)}\n`).join('');
}
