import { printable } from '../../runtime/printable.ts';

/** Where a path leads: object keys and list indexes from the root of the pool. */
export type FieldPath = readonly (string | number)[];

/** One thing that is wrong or doubtful in a pool. */
export interface Issue {
  readonly path: FieldPath;
  /** What was expected there, or what to mind, and what to do. */
  readonly message: string;
}

/** `spec.backends[0].port`, safe to print whatever the keys were. */
export function pathText(path: FieldPath): string {
  const text = path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${printable(step, 60)}`)).join('');
  return text === '' ? 'pool' : text.replace(/^\./, '');
}

/** The value at a path of untrusted data; undefined where it leads nowhere. */
export function valueAt(data: unknown, path: FieldPath): unknown {
  let at: unknown = data;
  for (const step of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, step)) return undefined;
    at = Reflect.get(at, step);
  }
  return at;
}

/** Whether the person wrote the field; defaults do not count. */
export function isSet(data: unknown, path: FieldPath): boolean {
  return valueAt(data, path) !== undefined;
}
