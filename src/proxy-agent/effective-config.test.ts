import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aModel, aServer, aStructure } from '../../test/fakes/pools.ts';
import { effectiveConfig } from './effective-config.ts';

const model = aModel([aServer(1), aServer(2, { state: 'drain', deadlineAt: 5_000 })]);
const [first = '', second = ''] = model.servers.map(({ name }) => name);

describe('effectiveConfig', () => {
  it('is the model while no agent says more', () => {
    expect(effectiveConfig(model, new Map([[first, { draining: false, deadlineAt: null }]]), null)).toEqual(model);
  });

  it('drains a server whose own agent says that it ends, though the operator does not know yet', () => {
    const { servers } = effectiveConfig(model, new Map([[first, { draining: true, deadlineAt: 9_000 }]]), null);
    expect(servers.map(({ state, deadlineAt }) => [state, deadlineAt])).toEqual([
      ['drain', 9_000],
      ['drain', 5_000],
    ]);
  });

  it('takes the earliest time, from any source, and does not let an agent undo what the operator asks for', () => {
    expect(effectiveConfig(model, new Map([[second, { draining: true, deadlineAt: 3_000 }]]), null).servers[1]?.deadlineAt).toBe(3_000);
    expect(effectiveConfig(model, new Map([[second, { draining: true, deadlineAt: 9_000 }]]), null).servers[1]?.deadlineAt).toBe(5_000);
    expect(effectiveConfig(model, new Map([[second, { draining: false, deadlineAt: null }]]), null).servers[1]).toEqual(model.servers[1]);
  });

  it('keeps the structure while this proxy ends, and closes everywhere when its time is over', () => {
    const structure = aStructure({ idleMs: 1 });
    expect(effectiveConfig(model, new Map(), { structure, frontend: 'paused', deadlineAt: null })).toEqual({
      ...model,
      structure,
      frontend: 'paused',
    });
    const over = effectiveConfig(model, new Map(), { structure, frontend: 'paused', deadlineAt: 4_000 });
    expect(over.servers.map(({ state, deadlineAt }) => [state, deadlineAt])).toEqual([
      ['drain', 4_000],
      ['drain', 4_000],
    ]);
  });

  it('is never less strict than any of them alone', () => {
    const word = fc.record({ draining: fc.boolean(), deadlineAt: fc.option(fc.nat()) });
    const end = fc.option(fc.option(fc.nat()));
    fc.assert(
      fc.property(word, end, fc.constantFrom('ready', 'drain'), fc.option(fc.nat()), (said, terminating, state, deadlineAt) => {
        const asked = aModel([aServer(1, { state, deadlineAt: state === 'drain' ? deadlineAt : null })]);
        const soft = terminating === null ? null : { structure: asked.structure, frontend: 'paused' as const, deadlineAt: terminating };
        const [server] = effectiveConfig(asked, new Map([[first, said]]), soft).servers;
        const drains = state === 'drain' || said.draining || typeof terminating === 'number';
        expect(server?.state).toBe(drains ? 'drain' : 'ready');
        const times = [state === 'drain' ? deadlineAt : null, said.draining ? said.deadlineAt : null, terminating].filter(
          (time) => time !== null,
        );
        expect(server?.deadlineAt).toBe(times.length === 0 ? null : Math.min(...times));
      }),
    );
  });
});
