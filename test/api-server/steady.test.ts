import { expect, inject, it } from 'vitest';
import { CHURN_MOST, churn } from '../soak/churn.ts';
import { growth } from '../soak/growth.ts';
import { TestCluster } from './test-cluster.ts';

/** `make soak MINUTES=60` takes an hour. */
const MINUTES = 5;

it('an operator under which pools come and go for five minutes keeps no memory and no file of them', { timeout: 500_000 }, async () => {
  const cluster = await TestCluster.create(inject('access'));
  try {
    const { lost, samples } = await churn(cluster, MINUTES);
    expect(lost).toBe(0);
    expect(growth(samples, CHURN_MOST), JSON.stringify(samples)).toEqual([]);
  } finally {
    await cluster.stop();
  }
});
