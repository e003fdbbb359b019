import { describe, expect, it } from 'vitest';
import { anActualWorker, aStructure } from '../../test/fakes/pools.ts';
import { PortHandover } from './port-handover.ts';

const at = (port: number, address = '0.0.0.0') => ({ address, port });
const running = (...binds: string[]) => anActualWorker([], aStructure(), { binds });

describe('PortHandover', () => {
  it('changes nothing while the port is the same, or another program’s configuration runs', () => {
    const wanted = aStructure();
    expect(new PortHandover().structure(wanted, running('*:12000'), 0)).toBe(wanted);
    expect(new PortHandover().structure(wanted, running(), 0)).toBe(wanted);
  });

  it('keeps the previous port for half a minute after the new one is listened on', () => {
    const handover = new PortHandover();
    const wanted = aStructure({ bind: at(12_001) });
    expect(handover.structure(wanted, running('*:12000'), 0).alsoBind).toEqual([at(12_000)]);
    expect(handover.structure(wanted, running('*:12000'), 90_000).alsoBind).toEqual([at(12_000)]); // the reload has not come yet
    expect(handover.structure(wanted, running('*:12001', '*:12000'), 91_000).alsoBind).toEqual([at(12_000)]);
    expect(handover.structure(wanted, running('*:12001', '*:12000'), 120_000).alsoBind).toEqual([at(12_000)]);
    expect(handover.structure(wanted, running('*:12001', '*:12000'), 121_000)).toBe(wanted);
  });

  it('loses no session when the change is taken back: both are listened on all the time', () => {
    const handover = new PortHandover();
    handover.structure(aStructure({ bind: at(23) }), running('*:12000'), 0);
    handover.structure(aStructure({ bind: at(23) }), running('*:23', '*:12000'), 1_000);
    expect(handover.structure(aStructure(), running('*:23', '*:12000'), 2_000).alsoBind).toEqual([at(23)]);
    expect(handover.structure(aStructure(), running('*:12000', '*:23'), 3_000).alsoBind).toEqual([at(23)]);
    expect(handover.structure(aStructure(), running('*:12000', '*:23'), 33_000).alsoBind).toEqual([]);
  });

  it('keeps no other address, which may be gone', () => {
    const wanted = aStructure({ bind: at(12_000, '192.0.2.1') });
    expect(new PortHandover().structure(wanted, running('*:12000', '[::]:12000'), 0)).toBe(wanted);
  });
});
