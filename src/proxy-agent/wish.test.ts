import { describe, expect, it } from 'vitest';
import { aModel, aServer } from '../../test/fakes/pools.ts';
import { wishText } from '../haproxy/wish.ts';
import { readWish } from './wish.ts';

const PLACE = { bindAddress: '10.0.0.9', sockets: { runtime: '/run/cccam/runtime.sock', peers: '/run/cccam/peers.sock' } };

describe('readWish', () => {
  it('reads what the operator has written, in the place of this very proxy', () => {
    const model = aModel([aServer(1), aServer(2, { state: 'drain', closeAfter: 1_800_000_000_000 })]);
    const structure = { ...model.structure, bind: { address: '10.0.0.9', port: model.structure.bind.port }, sockets: PLACE.sockets };
    expect(readWish(wishText(model), PLACE)).toEqual({ ...model, structure });
  });

  it.each([
    ['nothing', undefined],
    ['no JSON', '{'],
    ['another shape', '{"servers":[]}'],
    ['a name with a command in it', wishText(aModel([aServer(1, { name: 'a;shutdown' })]))],
    ['an address that is a path', wishText(aModel([aServer(1, { address: 'unix@/x' })]))],
    ['a weight out of range', wishText(aModel([aServer(1, { weight: 257 })]))],
  ])('refuses %s before it counts', (_what, text) => {
    expect(() => readWish(text, PLACE)).toThrow(/^(servers\.json|server name|address|weight)/);
  });
});
