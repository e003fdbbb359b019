import type { ServerResponse } from 'node:http';
import { sendText } from './http-server.ts';

/** Bounds of a publisher. */
export interface PublisherLimits {
  /** Subscribers from one address. Of how many there are in all the HTTP server is the limit. */
  readonly perAddress: number;
  /** A subscriber that has not read so many bytes is disconnected; it comes back and gets everything again. */
  readonly backlogBytes: number;
}

/** Sends lines of JSON to everyone who has subscribed. */
export class NdjsonPublisher {
  readonly #limits: PublisherLimits;
  readonly #subscribers = new Map<ServerResponse, string>();

  constructor(limits: PublisherLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#subscribers.size;
  }

  /**
   * Adds a subscriber for as long as its connection lives.
   *
   * @param first what it gets at once
   * @returns false when its address has too many already; the client has its answer
   */
  add(response: ServerResponse, first: readonly object[]): boolean {
    const address = response.socket?.remoteAddress ?? '';
    if (this.#count(address) >= this.#limits.perAddress) {
      sendText(response, 503, 'this address has too many subscribers\n');
      return false;
    }
    response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
    response.flushHeaders();
    this.#subscribers.set(response, address);
    response.on('close', () => this.#subscribers.delete(response));
    this.#send(response, first);
    return true;
  }

  /** Sends lines to every subscriber. */
  publish(lines: readonly object[]): void {
    for (const subscriber of this.#subscribers.keys()) this.#send(subscriber, lines);
  }

  #count(address: string): number {
    let count = 0;
    for (const other of this.#subscribers.values()) if (other === address) count += 1;
    return count;
  }

  #send(subscriber: ServerResponse, lines: readonly object[]): void {
    if (lines.length === 0) return;
    // Before the write: a snapshot may be longer than the backlog of one that reads.
    if (subscriber.writableLength > this.#limits.backlogBytes) subscriber.destroy();
    else subscriber.write(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  }
}
