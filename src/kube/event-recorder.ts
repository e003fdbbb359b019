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

/** Writes Events. The same thing over and over becomes one Event with a count. Never keeps anybody from their work: what fails is told and dropped. */
export class EventRecorder {
  readonly #client: KubeClient;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #controller: string;
  readonly #instance: string;
  readonly #series = new Map<string, Series>();

  /** @param controller name of the program, `cccam.dev/operator` @param instance name of this very process */
  constructor(client: KubeClient, clock: Clock, random: () => number, controller: string, instance: string) {
    this.#client = client;
    this.#clock = clock;
    this.#random = random;
    this.#controller = controller;
    this.#instance = instance;
  }

  /** Writes an event, or counts it. @throws KubeApiError when it could not be written; it is lost then */
  async record(event: RecordedEvent, signal: AbortSignal): Promise<void> {
    const now = this.#clock.monotonic();
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
    const now = this.#clock.monotonic();
    const { namespace } = event.regarding;
    const unique = Math.floor(this.#random() * 2 ** 40).toString(16);
    const name = `${event.regarding.name}.${Math.floor(this.#clock.now()).toString(16)}${unique}`;
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
      eventTime: microTime(this.#clock.now()),
      reportingController: this.#controller,
      reportingInstance: this.#instance.slice(0, 128),
      action: event.action,
      reason: event.reason,
      regarding: event.regarding,
      note: event.note.slice(0, NOTE_MAX),
      type: event.type,
    };
    await this.#client.create({ type: EVENT, namespace, name }, object, this.#controller, signal);
  }

  async #count(key: string, series: Series, signal: AbortSignal): Promise<void> {
    const { name, namespace, count } = series;
    const patch = { series: { count, lastObservedTime: microTime(this.#clock.now()) } };
    try {
      await this.#client.merge({ type: EVENT, namespace, name }, patch, this.#controller, signal);
    } catch (thrown) {
      if (!isStatus(thrown, 404)) throw thrown;
      this.#series.delete(key); // the server keeps events for an hour; the next one is a new one
    }
  }
}
