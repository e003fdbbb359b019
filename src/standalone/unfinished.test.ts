import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { aBackend, poolObject } from '../../test/fakes/pools.ts';
import { type FileReading, parsePoolFile } from './pool-file.ts';
import { looksUnfinished } from './unfinished.ts';

function read(text: string): { text: string; reading: FileReading } {
  return { text, reading: parsePoolFile(text, () => false) };
}

const spec = { backends: [aBackend('a', '10.0.0.1'), aBackend('b', '10.0.0.2')] };
const fine = stringify(poolObject(spec));

describe('a text that may be unfinished', () => {
  it.each([
    ['nothing', ''],
    ['one without its last line end', `# later\n${fine}`.trimEnd()],
    ['a shorter one', stringify(poolObject({ backends: [aBackend('a', '10.0.0.1')] }))],
    ['one that is no pool', `${fine}  limits:\n    perClient: {connections:`],
    ['one that ends otherwise', `${fine}# later\n`],
    ['another port', `# a longer text than before\n${stringify(poolObject({ ...spec, port: 12 }))}`],
    ['fewer servers', `# ${'x'.repeat(200)}\n${stringify(poolObject({ backends: [aBackend('a', '10.0.0.1')] }))}`],
  ])('is %s', (_what, text) => {
    expect(looksUnfinished(read(fine), read(text))).toBe(true);
  });

  it.each([
    ['a comment more', `# later\n${fine}`],
    ['a server more', stringify(poolObject({ backends: [...spec.backends, aBackend('c', '10.0.0.3')] }))],
    ['a time', fine.replace('spec:', 'spec:\n  timeouts: {idle: 20m}')],
  ])('is none with %s', (_what, text) => {
    expect(looksUnfinished(read(fine), read(text))).toBe(false);
  });

  it('is every beginning of an edit that only adds', () => {
    const after = fine.replace('name: a', 'name: a # the first floor');
    for (let end = 0; end < after.length; end += 1) expect(looksUnfinished(read(fine), read(after.slice(0, end))), `${end}`).toBe(true);
    expect(looksUnfinished(read(fine), read(after))).toBe(false);
  });
});
