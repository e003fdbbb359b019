import { createHash } from 'node:crypto';

/** Name of a text: the same text has the same one, and no other has it. 16 hexadecimal digits. */
export function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
