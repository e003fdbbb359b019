import type { ProxyReport } from '../pool/proxy-report.ts';
import type { Clock } from '../runtime/clock.ts';
import type { CccamError } from '../runtime/errors.ts';
import type { PodRecord } from './pod-record.ts';
import { type ChangeKind, ProxyListener } from './proxy-listener.ts';

interface Listening {
  readonly listener: ProxyListener;
  readonly end: AbortController;
  readonly address: string;
}

/** What the listeners of an operator work with. */
export interface ProxyListenersOptions {
  readonly clock: Clock;
  readonly random: () => number;
  /** A proxy of a pool reports something else than before. @param pool its key */
  readonly onChange: (pool: string, change: ChangeKind) => void;
  /** The stream of a proxy was lost for another reason than the last time. @param pod its name */
  readonly onTrouble: (pool: string, pod: string, error: CccamError) => void;
}

/** Listens to every proxy that has an address, for as long as its pod is there. */
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

  /** A pod has come, changed or gone. */
  follow(before: PodRecord | null, after: PodRecord | null): void {
    const uid = after?.uid ?? before?.uid ?? '';
    const address = after?.proxy?.address ?? null;
    const known = this.#listening.get(uid);
    if (known !== undefined && known.address !== address) {
      known.end.abort();
      this.#listening.delete(uid);
    }
    if (after === null || address === null || this.#listening.has(uid)) return;
    const { name, pool } = after;
    const { clock, onChange, onTrouble, random } = this.#options;
    const listener = new ProxyListener({
      address,
      clock,
      random,
      onChange: (change) => onChange(pool, change),
      onTrouble: (error) => onTrouble(pool, name, error),
    });
    const end = new AbortController();
    this.#listening.set(uid, { listener, end, address });
    const running = listener.run(end.signal).finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** What the proxies of these pods say. One without an address cannot be asked, and is no proxy yet. */
  reports(pods: readonly PodRecord[]): ProxyReport[] {
    return pods.flatMap(({ proxy }): ProxyReport[] => {
      if (proxy === null || proxy.address === null) return [];
      const listener = this.#listening.get(proxy.uid)?.listener;
      const { agent, terminatingSince, gracePeriodMs, name, ready, uid } = proxy;
      const said = listener?.said ?? 'pending';
      return [{ name, uid, agent, ready, terminatingSince, gracePeriodMs, said, error: listener?.error ?? null }];
    });
  }

  /** Ends all of it. */
  async stop(): Promise<void> {
    for (const { end } of this.#listening.values()) end.abort();
    this.#listening.clear();
    await Promise.all(this.#running);
  }
}
