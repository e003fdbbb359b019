import { describe, expect, it } from 'vitest';
import { RefusalCounter } from './refusals.ts';

describe('RefusalCounter', () => {
  it('counts the last minute, over reloads and counters that were cleared', () => {
    const counter = new RefusalCounter();
    expect(counter.count(1, { client: 5, full: 0 }, 0).lately).toEqual({ client: 5, full: 0 });
    expect(counter.count(1, { client: 7, full: 1 }, 30_000).lately).toEqual({ client: 7, full: 1 });
    expect(counter.count(2, { client: 1, full: 0 }, 40_000).lately).toEqual({ client: 8, full: 1 });
    expect(counter.count(2, { client: 0, full: 0 }, 50_000).lately).toEqual({ client: 8, full: 1 });
    expect(counter.count(2, { client: 0, full: 0 }, 61_000).lately).toEqual({ client: 3, full: 1 });
    expect(counter.count(2, { client: 0, full: 0 }, 200_000).lately).toEqual({ client: 0, full: 0 });
  });
});
