import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Structure } from '../haproxy/model.ts';
import type { ProxyObservation } from '../haproxy/observation.ts';
import type { Clock } from '../runtime/clock.ts';
import { sendText } from '../runtime/http-server.ts';
import type { Logger } from '../runtime/logger.ts';
import { isFrom } from '../runtime/node-addresses.ts';
import { CLOSING_LIMIT_MS, LONGEST_DRAIN_MS } from '../wire/drain-times.ts';
import { ForeignCalls } from '../wire/foreign-calls.ts';
import { ENDING_MS, HASTY_MS, type PreStopCall, readPreStopCall } from '../wire/pre-stop.ts';
import type { SoftStopState } from './effective-config.ts';

/** How long clients are still let in: until every node has heard that this pod ends, some are sent here. */
const LAST_CALL_MS = 10_000;
const LOOK_MS = 250;
/** HAProxy that does not answer for so long is gone, and its sessions with it. */
const GONE_MS = 30_000;
/** Looks while the frontend is paused that are needed: the counts of the first may have been read before it was shut. */
const SURE_LOOKS = 2;

/** What a soft stop works with. */
export interface SoftStopOptions {
  /** Addresses of this node, from which its kubelet calls. */
  readonly node: ReadonlySet<string>;
  readonly clock: Clock;
  readonly log: Logger;
  /** What HAProxy runs now; null while that is not known. */
  readonly structure: () => Structure | null;
  /** HAProxy should be asked for something else now. */
  readonly onChange: () => void;
}

/**
 * Stops a proxy softly when its pod terminates: accepts clients a little longer, then none, and answers the kubelet when the last session has
 * ended. Then HAProxy has no session left to cut off.
 */
export class SoftStop {
  readonly #options: SoftStopOptions;
  /** When the operator says that the remaining sessions must be closed, in milliseconds since the epoch; null while it does not say that the pod ends. */
  deadlineAt: number | null = null;
  #end: SoftStopState | null = null;
  /** Live sessions as they were read last; null while a worker does not tell. */
  #sessions: number | null = null;
  /** Observations since the frontend was paused. */
  #looks = 0;
  /** Calls that wait for an answer: a kubelet that was restarted asks again. */
  #calls = 0;
  /** When the last call was given up, on the monotonic clock; null while one waits. */
  #givenUpAt: number | null = null;
  /** Since when HAProxy has not answered, or null. */
  #silentSince: number | null = null;

  readonly #foreign: ForeignCalls;

  constructor(options: SoftStopOptions) {
    this.#options = options;
    const said = 'a drain was asked for from elsewhere than this node; the operator decides';
    this.#foreign = new ForeignCalls(options.clock, (from, more) => options.log.warn({ from, more }, said));
  }

  /** How this proxy ends; null while it does not. */
  get end(): SoftStopState | null {
    // The agent may have been restarted just before its pod was deleted: then the hook comes before the config does.
    if (this.#end?.structure === null) this.#end = { ...this.#end, structure: this.#options.structure() };
    return this.#end;
  }

  /** Takes over what was just read. */
  observe(observation: ProxyObservation): void {
    const counted = observation.error === null && observation.servers.every((server) => server.counted);
    this.#sessions = counted ? observation.servers.reduce((sum, server) => sum + server.sessions, 0) : null;
    this.#silentSince = observation.error === null ? null : (this.#silentSince ?? this.#options.clock.monotonic());
    if (this.#givenUpAt !== null && this.#options.clock.monotonic() - this.#givenUpAt >= ENDING_MS) this.#takeBack();
    // Only what was seen while the frontend is paused counts: a wave of clients may have come before.
    if (observation.error === null) this.#looks = observation.frontend === 'paused' ? this.#looks + 1 : 0;
  }

  /** Whether no session is left. Counts from before the frontend was paused prove nothing: clients may have come since. */
  get #isEmpty(): boolean {
    if (this.#silentSince !== null && this.#options.clock.monotonic() - this.#silentSince >= GONE_MS) return true;
    return this.#sessions === 0 && this.#looks >= SURE_LOOKS;
  }

  /** Answers when HAProxy may end. */
  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const call = readPreStopCall(request.url);
    if (call === null) return sendText(response, 400, 'expected deadlineMs in milliseconds, and close\n');
    const given = new AbortController();
    response.once('close', () => given.abort());
    const begun = this.#options.clock.monotonic();
    const from = request.socket.remoteAddress ?? 'an unknown address';
    const meant = isFrom(request, this.#options.node) ? call : await this.#confirmed(call, from, given.signal);
    if (meant !== null) {
      this.#givenUpAt = null;
      this.#calls += 1;
      await this.#drain(meant, begun, given.signal);
      this.#calls -= 1;
      if (given.signal.aborted && this.#calls === 0) this.#giveUp(begun);
    }
    if (given.signal.aborted) return;
    if (meant === null)
      sendText(response, 403, 'nothing was drained: expected a call from this node, or an operator that says that this pod ends\n');
    else sendText(response, 200, 'drained\n');
  }

  /** What is meant by a call from elsewhere than the node: nothing but what the operator confirms, and that by the operator's deadline. */
  async #confirmed(call: PreStopCall, from: string, signal: AbortSignal): Promise<PreStopCall | null> {
    const { clock } = this.#options;
    this.#foreign.told(from);
    const until = clock.monotonic() + call.deadlineMs;
    while (!signal.aborted && this.deadlineAt === null && clock.monotonic() < until) await clock.sleep(LOOK_MS, signal);
    return signal.aborted || this.deadlineAt === null ? null : { ...call, deadlineMs: LONGEST_DRAIN_MS };
  }

  async #drain(call: PreStopCall, begun: number, signal: AbortSignal): Promise<void> {
    const { clock, log, structure } = this.#options;
    log.info({ sessions: this.#sessions, ...call }, 'soft stop begins');
    this.#end ??= { structure: structure(), frontend: 'open', deadlineAt: null };
    await clock.sleep(Math.min(LAST_CALL_MS, call.deadlineMs), signal);
    if (signal.aborted) return;
    this.#change({ frontend: 'paused' });
    await this.#waitUntil(() => this.#deadline(begun + call.deadlineMs), signal);
    if (signal.aborted || this.#isEmpty || !call.close) return;
    this.#change({ deadlineAt: clock.now() });
    const closing = clock.monotonic() + CLOSING_LIMIT_MS;
    await this.#waitUntil(() => closing, signal);
    log.info({ sessions: this.#sessions }, 'soft stop is over');
  }

  #change(changes: Partial<SoftStopState>): void {
    if (this.#end !== null) this.#end = { ...this.#end, ...changes };
    this.#options.onChange();
  }

  /** The caller has gone. A kubelet waits, or is restarted and asks again; where nothing ends, nothing was meant. */
  #giveUp(begun: number): void {
    const now = this.#options.clock.monotonic();
    if (now - begun < HASTY_MS) this.#takeBack();
    else this.#givenUpAt = now;
  }

  #takeBack(): void {
    if (this.deadlineAt !== null) return; // the operator says that the pod ends; its kubelet may be away
    this.#options.log.info({ sessions: this.#sessions }, 'nothing ends: the soft stop is taken back');
    [this.#end, this.#givenUpAt] = [null, null];
    this.#options.onChange();
  }

  /** The earlier of the two deadlines, on the monotonic clock. */
  #deadline(own: number): number {
    const { clock } = this.#options;
    return this.deadlineAt === null ? own : Math.min(own, clock.monotonic() + this.deadlineAt - clock.now());
  }

  /** Waits until no session is left, or that time has come. */
  async #waitUntil(time: () => number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted && !this.#isEmpty && clock.monotonic() < time()) await clock.sleep(LOOK_MS, signal);
  }
}
