import { ADDRESSES } from './odd-addresses.ts';
import { FIELDS } from './odd-fields.ts';
import type { OddFile } from './odd-file.ts';
import { BYTES, TEXTS } from './odd-texts.ts';
import { WRONG_VALUES } from './odd-values.ts';

/** At least a hundred files as people really save them. */
export const ODD_FILES: readonly OddFile[] = [...WRONG_VALUES, ...ADDRESSES, ...FIELDS, ...TEXTS, ...BYTES].map(
  ([what, text, at, field, expected, remedy]) => ({
    what,
    bytes: typeof text === 'string' ? Buffer.from(text) : text,
    line: at,
    field,
    expected,
    remedy,
  }),
);
