import type { ProxyReport } from '../pool/proxy-report.ts';
import type { Clock } from '../runtime/clock.ts';
import type { CccamError } from '../runtime/errors.ts';
import type { PodRecord } from './pod-record.ts';
import { type ChangeKind, ProxyListener } from './proxy-listener.ts';

interface Listening {
  readonly listener: ProxyListener;
  readonly end: AbortController;
  readonly address: string;
  /** Key of its pool. */
  readonly pool: string;
}

/** What the listeners of an operator work with. */
export interface ProxyListenersOptions {
  readonly clock: Clock;
  readonly random: () => number;
  /** How many servers a pool has, as far as is known. @param pool its key */
  readonly servers: (pool: string) => number;
  /** A proxy of a pool reports something else than before. @param pool its key */
  readonly onChange: (pool: string, change: ChangeKind) => void;
  /** The stream of a proxy was lost for another reason than the last time. @param pod its name */
  readonly onTrouble: (pool: string, pod: string, error: CccamError) => void;
}

/** Listens to every proxy of a pool that has an address, for as long as pod and pool are there. */
export class ProxyListeners {
  readonly #options: ProxyListenersOptions;
  readonly #listening = new Map<string, Listening>();
  readonly #running = new Set<Promise<void>>();

  constructor(options: ProxyListenersOptions) {
    this.#options = options;
  }

  /** How many are listened to. */
  get size(): number {
    return this.#listening.size;
  }

  /**
   * The proxies of a pool are these now. One that is listened to stays one for as long as its pod is there: a Deployment that is deleted by
   * hand is gone before its pods, which still have sessions.
   *
   * @param candidates pods that say that they are proxies of the pool; none when the pool is gone
   */
  follow(pool: string, candidates: readonly PodRecord[], isOurs: (pod: PodRecord) => boolean): void {
    const there = new Map(candidates.map((pod) => [pod.uid, pod]));
    for (const [uid, known] of this.#listening) {
      if (known.pool !== pool || known.address === there.get(uid)?.proxy?.address) continue;
      known.end.abort();
      this.#listening.delete(uid);
    }
    for (const pod of candidates) {
      const address = pod.proxy?.address ?? null;
      if (address !== null && !this.#listening.has(pod.uid) && isOurs(pod)) this.#listen(pod, address);
    }
  }

  /** What the proxies among these pods say. One without an address cannot be asked, and is no proxy yet. */
  reports(pods: readonly PodRecord[]): ProxyReport[] {
    return pods.flatMap(({ proxy, uid }): ProxyReport[] => {
      const listener = this.#listening.get(uid)?.listener;
      if (proxy === null || listener === undefined) return [];
      const { agent, terminatingSince, gracePeriodMs, name, ready } = proxy;
      return [{ name, uid, agent, ready, terminatingSince, gracePeriodMs, said: listener.said, error: listener.error }];
    });
  }

  #listen({ name, pool, uid }: PodRecord, address: string): void {
    const { clock, onChange, onTrouble, random, servers } = this.#options;
    const listener = new ProxyListener({
      address,
      clock,
      random,
      servers: () => servers(pool),
      onChange: (change) => onChange(pool, change),
      onTrouble: (error) => onTrouble(pool, name, error),
    });
    const end = new AbortController();
    this.#listening.set(uid, { listener, end, address, pool });
    const running = listener.run(end.signal).finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** Ends all of it. */
  async stop(): Promise<void> {
    for (const { end } of this.#listening.values()) end.abort();
    this.#listening.clear();
    await Promise.all(this.#running);
  }
}
