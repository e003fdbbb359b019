import { describe, expect, it } from 'vitest';
import { MEMBER_VALUES, parseAnswer, TooLargeError } from './answer.ts';

const many = Array.from({ length: MEMBER_VALUES + 1 }, () => ({}));
const few = [{}, {}];

describe('an answer of the API server', () => {
  it('is read without what nothing reads, and without members of too many values', () => {
    const answer = { metadata: { name: 'a', managedFields: few, finalizers: ['x'] }, spec: many, status: few };
    const bare = { metadata: { name: 'a', managedFields: null, finalizers: null }, spec: null, status: few };
    expect(parseAnswer(JSON.stringify(answer), 'object')).toEqual(bare);
    expect(parseAnswer(JSON.stringify({ type: 'ADDED', object: answer }), 'event')).toEqual({ type: 'ADDED', object: bare });
    expect(parseAnswer(JSON.stringify({ metadata: {}, items: [answer, answer] }), 'list')).toEqual({ metadata: {}, items: [bare, bare] });
  });

  it('keeps a text that speaks of such members', () => {
    const answer = { metadata: { name: 'a', annotations: { managedFields: '{"finalizers":[1,2]}' } }, data: { managedFields: 'x' } };
    expect(parseAnswer(JSON.stringify(answer), 'object')).toEqual(answer);
  });

  it('is refused where it has more values than it may have, before they are made', () => {
    const text = JSON.stringify({ items: Array.from({ length: 10 }, () => ({ spec: few })) });
    expect(() => parseAnswer(text, 'list', 40)).toThrow(TooLargeError);
    expect(() => parseAnswer(text, 'list', 80)).not.toThrow();
  });
});
