import type { Clock } from '../runtime/clock.ts';
import { isStatus } from './api-error.ts';
import type { KubeClient } from './client.ts';
import { microTime } from './micro-time.ts';
import type { KubeObject, ResourceType } from './resource.ts';

const EVENT: ResourceType = { apiVersion: 'events.k8s.io/v1', kind: 'Event', plural: 'events' };

/** The object that an event is about. */
export interface Regarding {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** Something that a person should find in `kubectl describe`. */
export interface RecordedEvent {
  readonly regarding: Regarding;
  readonly type: 'Normal' | 'Warning';
  /** CamelCase, at most 128 characters. */
  readonly reason: string;
  /** What was done or tried, CamelCase, at most 128 characters. */
  readonly action: string;
  readonly note: string;
}

interface Series {
  readonly name: string;
  readonly namespace: string;
  count: number;
  lastAt: number;
  /** When the count was last written. */
  writtenAt: number;
}

/** Events that are the same within this time are counted in one. */
const SAME_MS = 600_000;
const COUNT_EVERY_MS = 60_000;
const REMEMBERED = 2_000;
const NOTE_MAX = 1_000;

/** What an event recorder works with. */
export interface EventRecorderOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Name of the program, such as `cccam.dev/operator`. */
  readonly controller: string;
  /** Name of this process. */
  readonly instance: string;
}

/** Writes Events. The same thing over and over becomes one Event with a count. */
export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #series = new Map<string, Series>();

  constructor(options: EventRecorderOptions) {
    this.#options = options;
  }

  /** Writes an event, or counts it. @throws KubeApiError when it could not be written; it is lost then */
  async record(event: RecordedEvent, signal: AbortSignal): Promise<void> {
    const now = this.#options.clock.monotonic();
    const key = JSON.stringify([event.regarding.uid, event.type, event.reason, event.note]);
    const series = this.#series.get(key);
    if (series === undefined || now - series.lastAt > SAME_MS) return await this.#create(key, event, signal);
    series.count += 1;
    series.lastAt = now;
    if (now - series.writtenAt < COUNT_EVERY_MS) return;
    series.writtenAt = now;
    await this.#count(key, series, signal);
  }

  async #create(key: string, event: RecordedEvent, signal: AbortSignal): Promise<void> {
    const now = this.#options.clock.monotonic();
    const { namespace } = event.regarding;
    const unique = Math.floor(this.#options.random() * 2 ** 40).toString(16);
    const name = `${event.regarding.name}.${Math.floor(this.#options.clock.now()).toString(16)}${unique}`;
    this.#series.delete(key);
    this.#series.set(key, { name, namespace, count: 1, lastAt: now, writtenAt: now });
    for (const oldest of this.#series.keys()) {
      if (this.#series.size <= REMEMBERED) break;
      this.#series.delete(oldest);
    }
    const object: KubeObject = {
      apiVersion: EVENT.apiVersion,
      kind: EVENT.kind,
      metadata: { name, namespace },
      eventTime: microTime(this.#options.clock.now()),
      reportingController: this.#options.controller,
      reportingInstance: this.#options.instance.slice(0, 128),
      action: event.action,
      reason: event.reason,
      regarding: event.regarding,
      note: event.note.slice(0, NOTE_MAX),
      type: event.type,
    };
    await this.#options.client.create({ type: EVENT, namespace, name }, object, this.#options.controller, signal);
  }

  async #count(key: string, series: Series, signal: AbortSignal): Promise<void> {
    const { name, namespace, count } = series;
    const patch = { series: { count, lastObservedTime: microTime(this.#options.clock.now()) } };
    try {
      await this.#options.client.merge({ type: EVENT, namespace, name }, patch, this.#options.controller, signal);
    } catch (thrown) {
      if (!isStatus(thrown, 404)) throw thrown;
      this.#series.delete(key); // the server keeps events for an hour; the next one is a new one
    }
  }
}
