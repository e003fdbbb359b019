import Table from 'cli-table3';
import { createLogUpdate } from 'log-update';
import type { PoolStatus } from '../api/v1alpha1/index.ts';
import { withoutNumbers } from '../pool/status-damping.ts';
import { withoutControls } from '../runtime/printable.ts';
import { rfc3339 } from '../runtime/rfc3339.ts';

/** One event line for the person or script that started the program. */
export interface RunEvent {
  readonly severity: 'Normal' | 'Warning';
  readonly reason: string;
  readonly subject: string;
  readonly message: string;
}

/** How the program speaks: a live table on a terminal, plain lines or JSON lines elsewhere. */
export interface Output {
  event(event: RunEvent): void;
  status(status: PoolStatus): void;
  /** Shows the last status once and for all, and lets go of the terminal. */
  end(): void;
}

/** Where the output goes. */
export type OutputStream = NodeJS.WritableStream & { readonly isTTY?: boolean };

/** How `run` reports, as its flag says it. */
export type OutputKind = 'auto' | 'table' | 'lines' | 'json';

/**
 * Picks the way to speak: `auto` is a live table where a person looks, else plain lines.
 *
 * @param once whether only the end result is wanted: one table or one JSON document
 */
export function createOutput(kind: OutputKind, once: boolean, stream: OutputStream, now: () => number): Output {
  if (once) return new Final(stream, kind === 'json' ? (status) => JSON.stringify(status, null, 2) : statusTable);
  const resolved = kind === 'auto' ? (stream.isTTY ? 'table' : 'lines') : kind;
  switch (resolved) {
    case 'table':
      return new LiveTable(stream, now);
    case 'lines':
      return new Lines(stream, now);
    case 'json':
      return new JsonLines(stream, now);
  }
}

/** The servers of a pool as a table for people. */
export function statusTable(status: PoolStatus): string {
  const table = new Table({
    head: ['BACKEND', 'SERVER', 'STATE', 'WEIGHT', 'SHARE', 'SESSIONS', 'MAX', 'UNTIL'],
    style: { head: [], border: [], compact: true, 'padding-left': 0, 'padding-right': 2 },
    chars: NO_BORDERS,
    colAligns: ['left', 'left', 'left', 'right', 'right', 'right', 'right', 'left'],
  });
  for (const backend of status.backends) {
    for (const server of backend.servers) {
      table.push([
        backend.name,
        server.address ?? server.name,
        server.state,
        backend.weight,
        `${backend.sharePercent}%`,
        server.sessions,
        backend.maxConnections,
        server.deadline ?? '',
      ]);
    }
  }
  const ready = status.conditions.find((condition) => condition.type === 'Ready');
  return `${table.toString()}\n${status.sessions} sessions, ${status.summary} backends up, Ready=${ready?.status ?? 'Unknown'} (${ready?.reason ?? ''})`;
}

const NO_BORDERS = Object.fromEntries(
  [
    'top',
    'top-mid',
    'top-left',
    'top-right',
    'bottom',
    'bottom-mid',
    'bottom-left',
    'bottom-right',
    'left',
    'left-mid',
    'mid',
    'mid-mid',
    'right',
    'right-mid',
    'middle',
  ].map((name) => [name, '']),
);

class LiveTable implements Output {
  readonly #stream: OutputStream;
  readonly #now: () => number;
  readonly #update: ReturnType<typeof createLogUpdate>;
  #latest: PoolStatus | null = null;

  constructor(stream: OutputStream, now: () => number) {
    this.#stream = stream;
    this.#now = now;
    this.#update = createLogUpdate(stream);
  }

  event(event: RunEvent): void {
    this.#update.clear();
    this.#stream.write(`${eventLine(event, this.#now())}\n`);
    if (this.#latest !== null) this.#update(statusTable(this.#latest));
  }

  status(status: PoolStatus): void {
    this.#latest = status;
    this.#update(statusTable(status));
  }

  end(): void {
    this.#update.done();
  }
}

/** For `--once`: says nothing until the end, and then how things ended. */
class Final implements Output {
  readonly #stream: OutputStream;
  readonly #show: (status: PoolStatus) => string;
  #latest: PoolStatus | null = null;

  constructor(stream: OutputStream, show: (status: PoolStatus) => string) {
    this.#stream = stream;
    this.#show = show;
  }

  event(): void {
    // A script that asks once wants the end result alone.
  }

  status(status: PoolStatus): void {
    this.#latest = status;
  }

  end(): void {
    if (this.#latest !== null) this.#stream.write(`${this.#show(this.#latest)}\n`);
  }
}

class Lines implements Output {
  readonly #stream: OutputStream;
  readonly #now: () => number;

  constructor(stream: OutputStream, now: () => number) {
    this.#stream = stream;
    this.#now = now;
  }

  event(event: RunEvent): void {
    this.#stream.write(`${eventLine(event, this.#now())}\n`);
  }

  status(): void {
    // Every change of a server is a event line already.
  }

  end(): void {
    // Nothing is held back.
  }
}

class JsonLines implements Output {
  readonly #stream: OutputStream;
  readonly #now: () => number;
  #written = '';

  constructor(stream: OutputStream, now: () => number) {
    this.#stream = stream;
    this.#now = now;
  }

  event(event: RunEvent): void {
    this.#write({ kind: 'event', time: new Date(this.#now()).toISOString(), ...event });
  }

  /** A status is printed when more than counts of sessions has changed, those in messages among them. */
  status(status: PoolStatus): void {
    const state = JSON.stringify(status, (key: string, value: unknown) => {
      if (key === 'sessions') return undefined;
      return key === 'message' && typeof value === 'string' ? withoutNumbers(value) : value;
    });
    if (state === this.#written) return;
    this.#written = state;
    this.#write({ kind: 'status', status });
  }

  end(): void {
    // Nothing is held back.
  }

  #write(line: unknown): void {
    this.#stream.write(`${JSON.stringify(line)}\n`);
  }
}

function eventLine(event: RunEvent, now: number): string {
  const time = rfc3339(now); // with its zone: logs of several machines are laid side by side
  return withoutControls(`${time} ${event.severity === 'Warning' ? 'WARN ' : ''}${event.reason} ${event.subject}: ${event.message}`);
}
