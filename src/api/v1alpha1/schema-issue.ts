import type * as z from 'zod';
import { printable } from '../../runtime/printable.ts';
import { fieldNames, meantField } from './field-name.ts';
import { type FieldPath, type Issue, valueAt } from './issue.ts';

/** Unknown fields of one object that are reported: each is compared with every known name. */
const TOLD_FIELDS = 20;
/** Field names that are listed where none is near. */
const LISTED_FIELDS = 12;

/**
 * What the schema has refused, in plain words: what was expected, what was found, and what to do.
 *
 * @param root the schema
 * @param data what it has refused
 */
export function schemaIssues(issue: z.core.$ZodIssue, root: z.core.$ZodType, data: unknown): Issue[] {
  const path = issue.path.filter((step) => typeof step !== 'symbol');
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.slice(0, TOLD_FIELDS).map((key) => ({ path: [...path, key], message: unknownField(root, path, key) }));
  }
  const value = valueAt(data, path);
  const expected = expectation(issue);
  return [{ path, message: `${expected}, found ${found(value)}${advice(expected, value)}` }];
}

function unknownField(root: z.core.$ZodType, parent: FieldPath, key: string): string {
  const meant = meantField(root, parent, key);
  if (meant !== null) return `expected a field that the schema knows: did you mean ${meant}?`;
  const names = fieldNames(root, parent);
  const list = names.slice(0, LISTED_FIELDS).join(', ');
  return `expected a field that the schema knows${list === '' ? '' : `, such as ${list}`}: take this one out`;
}

function expectation(issue: z.core.$ZodIssue): string {
  if (!issue.message.startsWith('Invalid input')) return printable(issue.message, 400);
  if (issue.code !== 'invalid_type') return 'expected something else';
  const type = TYPES[issue.expected] ?? issue.expected;
  return `expected ${type}`;
}

const TYPES: Readonly<Record<string, string>> = {
  object: 'an object: fields below it, with their indentation',
  record: 'an object: fields below it, with their indentation',
  array: 'a list',
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
};

function found(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'an empty value';
  if (typeof value === 'string') return value === '' ? 'an empty text' : `the text "${printable(value, 60)}"`;
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `a list of ${value.length}`;
  if (typeof value === 'object') return 'an object';
  return String(value);
}

/** What to do, where more can be said than to write what was expected. */
function advice(expected: string, value: unknown): string {
  if (value === undefined) return ': add it';
  if (value === null) return ': write a value behind the colon, or take the field out';
  if (typeof value === 'string') return adviceForText(expected, value);
  if (typeof value === 'number' && expected.includes('a duration')) return `: add the unit, such as ${value}s or ${value}m`;
  if (Array.isArray(value) && expected.includes('an object')) return ': take out the dash in front of the fields';
  if (typeof value === 'object' && expected.includes('a list')) return ': put a dash (-) in front of each entry';
  if (typeof value !== 'object' && /a text|a name/.test(expected)) return ': put it into quotes';
  return ': correct it';
}

function adviceForText(expected: string, value: string): string {
  const trimmed = value.trim();
  if (trimmed !== value && trimmed !== '') return ': take out the spaces around it';
  if (/number/.test(expected) && /^-?[0-9]+$/.test(trimmed)) return `: write ${printable(trimmed, 20)} without the quotes`;
  if (/true or false/.test(expected)) return ': write true or false, without quotes';
  if (/a duration/.test(expected) && /^[0-9]+$/.test(trimmed)) return `: add the unit, such as ${trimmed}s or ${trimmed}m`;
  if (/IPv4 or IPv6 address/.test(expected)) return addressAdvice(trimmed);
  const word = /one of ([A-Za-z, ]+)$/
    .exec(expected)?.[1]
    ?.split(', ')
    .find((each) => each.toLowerCase() === trimmed.toLowerCase());
  if (word !== undefined) return `: write ${word}`;
  return ': correct it';
}

/** What to do with what was written for an address. */
function addressAdvice(text: string): string {
  const [, , port] = /^(\[[^\]]*\]|[0-9.]+):([0-9]+)$/.exec(text) ?? [];
  if (port !== undefined) return ': write the address alone, and the port in the field port';
  if (text.startsWith('[')) return ': take out the brackets';
  if (text.includes('%')) return ': take out the zone; an address that needs one is of this link only';
  if (text.includes('/')) return ': take out what follows the slash';
  if (/(^|\.)0[0-9]/.test(text)) return ': take out the zeros in front; some programs read such numbers as octal';
  if (/[g-z]/i.test(text)) return ': write its IP address; a name may mean another server tomorrow';
  return ': correct it';
}
