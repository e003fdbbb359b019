import { expect, it } from 'vitest';
import { Promises } from './promises.ts';

it('places are promised to clients on their way, until they have come or a minute has passed', () => {
  const promises = new Promises();
  expect(promises.outstanding(20, 0)).toBe(0);
  promises.add(5, 20, 0);
  expect(promises.outstanding(20, 500)).toBe(5);
  expect(promises.outstanding(22, 1_000)).toBe(3);
  promises.add(2, 22, 1_000);
  expect(promises.outstanding(27, 2_000)).toBe(0);
  expect(promises.outstanding(20, 60_500)).toBe(2);
  expect(promises.outstanding(20, 62_000)).toBe(0);
});
