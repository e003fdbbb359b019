import { distance } from 'fastest-levenshtein';
import * as z from 'zod';

/** Slips of the keyboard that a name may have to be taken for another. */
const MOST_SLIPS = 2;

/**
 * The field that was probably meant by one that does not exist: a similar name, or the same name elsewhere in the schema.
 *
 * @param parent path of the object that the field was written in
 * @returns the path as a person would write it, or null when nothing is near
 */
export function meantField(root: z.core.$ZodType, parent: readonly (string | number)[], key: string): string | null {
  const siblings = fieldsOf(schemaAt(root, parent));
  const nearest = [...siblings.keys()]
    .map((name) => ({ name, slips: distance(plain(name), plain(key)) }))
    .filter(({ name, slips }) => slips <= Math.min(MOST_SLIPS, Math.floor(name.length / 3)))
    .sort((a, b) => a.slips - b.slips)[0];
  if (nearest !== undefined) return nearest.name;
  const inside = below(schemaAt(root, parent), '').find((path) => lastOf(path) === key);
  if (inside !== undefined) return inside;
  return below(root, '').find((path) => lastOf(path) === key && !path.startsWith('status.')) ?? null;
}

/** The names of the fields that an object may have, the most important first. */
export function fieldNames(root: z.core.$ZodType, path: readonly (string | number)[]): string[] {
  return [...fieldsOf(schemaAt(root, path)).keys()];
}

function schemaAt(root: z.core.$ZodType, path: readonly (string | number)[]): z.core.$ZodType | null {
  let at: z.core.$ZodType | null = root;
  for (const step of path) {
    if (at === null) return null;
    const schema: z.core.$ZodType = unwrapped(at);
    at = schema instanceof z.core.$ZodArray ? schema._zod.def.element : (fieldsOf(schema).get(String(step)) ?? null);
  }
  return at;
}

/** Without what only says that a field may be left out. */
function unwrapped(schema: z.core.$ZodType): z.core.$ZodType {
  let at = schema;
  while (at instanceof z.core.$ZodOptional || at instanceof z.core.$ZodDefault || at instanceof z.core.$ZodPrefault) {
    at = at._zod.def.innerType;
  }
  return at;
}

function fieldsOf(schema: z.core.$ZodType | null): Map<string, z.core.$ZodType> {
  const at = schema === null ? null : unwrapped(schema);
  return at instanceof z.core.$ZodObject ? new Map(Object.entries(at._zod.def.shape)) : new Map();
}

/** Every path below a schema, those that are near first. */
function below(schema: z.core.$ZodType | null, prefix: string): string[] {
  if (schema === null) return [];
  const at = unwrapped(schema);
  if (at instanceof z.core.$ZodArray) return below(at._zod.def.element, prefix.replace(/\.$/, '[].'));
  const fields = [...fieldsOf(at)];
  return [...fields.map(([name]) => `${prefix}${name}`), ...fields.flatMap(([name, field]) => below(field, `${prefix}${name}.`))];
}

function lastOf(path: string): string {
  return path.slice(path.lastIndexOf('.') + 1);
}

/** Without case and separators: `max_connections` is `maxConnections`. */
function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[-_ ]/g, '');
}
