import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ClusterModel } from '../../test/fakes/cluster-model.ts';
import { type Step, steps } from '../../test/fakes/cluster-steps.ts';

/** Plays a sequence of things that happen, with a pass of the operator after each, and checks what must never be broken. */
function play(sequence: readonly Step[], backends: number): ClusterModel {
  const model = new ClusterModel(backends);
  model.pass();
  for (const step of sequence) {
    model.happen(step);
    model.pass();
    model.check();
  }
  return model;
}

/** Leaves a server whose limit is one session, which is the share of the second proxy. */
const ONE_PLACE: Step[] = [
  { kind: 'backend leaves', at: 0 },
  { kind: 'pod is ready', at: 14 },
  { kind: 'backend leaves', at: 20 },
  { kind: 'all is well' },
  { kind: 'proxy lies' },
];

describe('reconcile, whatever happens in whatever order', () => {
  it('never takes two backends down by our own doing, removes no server whose pod lives, and loses no drain clock', () => {
    fc.assert(
      fc.property(fc.array(steps, { maxLength: 40 }), fc.integer({ min: 1, max: 4 }), (sequence, backends) => {
        play(sequence, backends);
      }),
      { numRuns: 300 },
    );
  }, 30_000);

  it('changes one backend at a time even while Deployments are slow to tell that their pods are there', () => {
    play([{ kind: 'statuses lag' }, { kind: 'all is well' }, { kind: 'template' }, { kind: 'proxies catch up' }, { kind: 'template' }], 3);
  });

  it('comes to rest: once nothing happens any more, a second pass has nothing to do', () => {
    fc.assert(
      fc.property(fc.array(steps, { maxLength: 30 }), fc.integer({ min: 1, max: 3 }), (sequence, backends) => {
        const model = play(sequence, backends);
        model.settle();
        const outcome = model.pass();
        const { changes, report } = outcome;
        expect({ apply: changes.apply.length, remove: changes.remove.length, pods: report.pods, status: report.status }).toEqual({
          apply: 0,
          remove: 0,
          pods: [],
          status: null,
        });
      }),
      { numRuns: 60 },
    );
  }, 30_000);

  it('comes to the same servers and clocks when it begins again at any moment from what was saved', () => {
    fc.assert(
      fc.property(fc.array(steps, { maxLength: 30 }), fc.integer({ min: 1, max: 3 }), (sequence, backends) => {
        const model = play(sequence, backends);
        const before = model.pass().roster;
        model.forget();
        expect(model.pass().roster).toEqual(before);
      }),
      { numRuns: 150, examples: [[ONE_PLACE, 3]] },
    );
  }, 30_000);
});
