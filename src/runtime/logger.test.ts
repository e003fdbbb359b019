import { describe, expect, it } from 'vitest';
import { CccamError } from './errors.ts';
import { errorFields } from './logger.ts';

const lost = (name: string) =>
  new CccamError('CCP_LEASE_LOST', { subject: name, message: 'the lease is lost', remedy: 'None is needed.', retryable: true });

describe('errorFields', () => {
  it('takes the code and the message of an error, and the text of anything else', () => {
    expect([errorFields(lost('a')), errorFields('odd')]).toEqual([
      { error: 'a: the lease is lost', code: 'CCP_LEASE_LOST' },
      { error: 'odd' },
    ]);
  });

  it('names the first few of several errors, each once, however deep they lie', () => {
    const nested = new AggregateError([lost('a'), lost('a'), new AggregateError([lost('b'), lost('c'), lost('d'), lost('e')])], '3 failed');
    expect(errorFields(nested)).toEqual({
      error: 'a: the lease is lost; b: the lease is lost; c: the lease is lost; and 2 more',
      code: 'CCP_LEASE_LOST',
    });
  });
});
