import type { CccamError } from '../runtime/errors.ts';
import { messageOf } from '../runtime/errors.ts';
import { rfc3339 } from '../runtime/rfc3339.ts';
import type { Controller } from './controller.ts';
import type { Host } from './host.ts';
import type { LastGood } from './last-good.ts';
import type { LatestWriter } from './latest-writer.ts';
import type { Output } from './output.ts';
import { type FileIssue, type FileReading, parsePoolFile } from './pool-file.ts';
import { type FirstPool, type PoolReading, reason } from './pool-source.ts';
import { issueEvents } from './run-event.ts';
import { looksUnfinished } from './unfinished.ts';

/** What an acceptance works with. */
export interface AcceptanceOptions {
  readonly file: string;
  readonly controller: Controller;
  readonly host: Host;
  readonly kept: LatestWriter<LastGood>;
  readonly output: Output;
  /** For people: when a pool came into force. */
  readonly wall: () => number;
}

/** Takes over what is in the file, or refuses it as a whole with every reason; the last valid pool then stays active. */
export class Acceptance {
  readonly #options: AcceptanceOptions;
  #inForce: { readonly text: string; readonly reading: FileReading };

  constructor(first: FirstPool, options: AcceptanceOptions) {
    this.#options = options;
    this.#inForce = first;
    this.#tellFirst(first);
  }

  /** Whether a text may be half of a write. */
  looksUnfinished(text: string): boolean {
    return looksUnfinished(this.#inForce, { text, reading: this.#read(text) });
  }

  /** Another text. */
  take(text: string): void {
    const reading = this.#read(text);
    if (reading.kind === 'refused') this.#refuse('PoolRefused', reading.issues);
    else this.#takePool(text, reading);
  }

  /** The file cannot be read now. */
  unreadable(error: CccamError): void {
    this.#refuse('PoolUnreadable', [{ line: null, field: 'pool', message: reason(error) }]);
  }

  #takePool(text: string, reading: PoolReading): void {
    const { controller, file, host, output } = this.#options;
    const { pool } = reading.parsed;
    const { name } = controller.pool.metadata;
    if (pool.metadata.name !== name) {
      const message = `expected ${name}, found ${pool.metadata.name}: another pool needs a cccam-operator of its own`;
      this.#refuse('PoolRefused', [{ line: null, field: 'metadata.name', message }]);
      return;
    }
    try {
      controller.accept(pool, host.runtimeFor(pool, reading.data));
    } catch (thrown) {
      this.#refuse('PoolRefused', [{ line: null, field: 'pool', message: messageOf(thrown) }]);
      return;
    }
    this.#inForce = { text, reading };
    this.#keep(text);
    output.event({ severity: 'Normal', reason: 'PoolAccepted', subject: file, message: 'valid and active' });
    for (const event of issueEvents(file, 'PoolWarning', reading.warnings)) output.event(event);
  }

  #tellFirst({ fallback, reading, seen, text }: FirstPool): void {
    const { file, output } = this.#options;
    for (const event of issueEvents(file, 'PoolWarning', reading.warnings)) output.event(event);
    if (fallback === null) {
      this.#keep(text);
      return;
    }
    const message = `The file cannot be used. The pool that was valid at ${fallback.savedAt} stays active until the file is.`;
    output.event({ severity: 'Warning', reason: 'LastValidPoolActive', subject: file, message });
    this.#refuse(seen === null ? 'PoolUnreadable' : 'PoolRefused', fallback.issues);
  }

  #refuse(eventReason: 'PoolRefused' | 'PoolUnreadable', issues: readonly FileIssue[]): void {
    const { controller, file, output } = this.#options;
    for (const event of issueEvents(file, eventReason, issues)) output.event(event);
    const [first] = issues;
    if (first === undefined) return;
    const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : '';
    controller.refuse(`${first.line === null ? '' : `line ${first.line}: `}${first.field}: ${first.message}${more}`);
  }

  #keep(text: string): void {
    const { controller, file, kept, wall } = this.#options;
    kept.save({ file, name: controller.pool.metadata.name, savedAt: rfc3339(wall()), text });
  }

  #read(text: string): FileReading {
    return parsePoolFile(text, this.#options.host.own);
  }
}
