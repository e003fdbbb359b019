import { afterEach, describe, expect, it } from 'vitest';
import { type Answer, type Call, FakeApiServer, json, refuse } from '../../test/fakes/api-server.ts';
import { UID } from '../../test/fakes/cluster-views.ts';
import { aChild, anOutcome, aPass } from '../../test/fakes/passes.ts';
import type { ChildFacts } from '../pool/child.ts';
import { applyOutcome } from './apply.ts';

const MAP = aChild('ConfigMap', 'p-haproxy');
const SERVICE = aChild('Service', 'p');
const OURS: ChildFacts = { uid: 'u-map', ownerUid: UID, applied: null, fingerprint: '', content: null, deployment: null };

interface Body {
  readonly metadata: { readonly uid?: string };
  readonly spec: unknown;
}

let server: FakeApiServer;

afterEach(async () => {
  await server.stop();
});

/** An API server with these objects, by the end of their path; it takes every write. */
async function serving(objects: Readonly<Record<string, object>> = {}, answer: Answer = () => undefined): Promise<FakeApiServer> {
  server = await FakeApiServer.start(async (call, response) => {
    await answer(call, response);
    if (response.writableEnded) return;
    if (call.method !== 'GET') return json(response, 200, call.body ?? {});
    const found = objects[call.path.split('/').at(-1) ?? ''];
    if (found === undefined) refuse(response, 404, 'NotFound');
    else json(response, 200, found);
  });
  return server;
}

function writes(): string[] {
  return server.calls.filter(({ method }) => method !== 'GET').map(({ method, path }) => `${method} ${path.split('/').at(-1)}`);
}

function isApply({ headers }: Call): boolean {
  return headers['content-type']?.startsWith('application/apply-patch') === true;
}

function owned(ownerUid: string, uid = 'u') {
  return { metadata: { name: 'x', uid, ownerReferences: [{ uid: ownerUid, controller: true }] } };
}

describe('applyOutcome', () => {
  it('applies in order, asks first whose a name is, and takes no fields by force of what is not known to be ours', async () => {
    const { pass } = aPass(await serving(), { children: new Map([['ConfigMap/p-haproxy', OURS]]) });
    expect(await applyOutcome(pass, anOutcome({ apply: [MAP, SERVICE] }))).toBeNull();
    expect(writes()).toEqual(['PATCH p-haproxy', 'PATCH p']);
    const patches = server.calledWith('PATCH').map(({ body, query }) => [query.get('force'), (body as Body).metadata.uid]);
    expect(patches).toEqual([
      ['true', 'u-map'],
      [null, undefined],
    ]);
    expect(server.calledWith('GET').map(({ path }) => path.split('/').at(-1))).toEqual(['p']);
  });

  it('remembers a bounded number of Events while no status can be written', async () => {
    const { pass } = aPass(await serving());
    for (let turn = 0; turn < 300; turn += 1) {
      await applyOutcome(pass, anOutcome({}, { events: [{ type: 'Normal', reason: 'ServerUp', note: `turn ${turn}` }] }));
    }
    expect(pass.state.pendingEvents).toHaveLength(100);
  });

  it('deletes only the very object that was decided about', async () => {
    const { pass } = aPass(await serving());
    await applyOutcome(pass, anOutcome({ remove: [{ kind: 'Deployment', name: 'p-a', uid: 'u-a' }] }));
    expect(server.calledWith('DELETE')[0]?.body).toMatchObject({ preconditions: { uid: 'u-a' } });
  });

  it.each([
    ['another pool', owned('other')],
    ['nothing', { metadata: { name: 'p', uid: 'u' } }],
    ['our pool without controlling it', { metadata: { name: 'p', uid: 'u', ownerReferences: [{ uid: UID }] } }],
  ])('leaves an object of that name alone that %s owns, and looks again after 15 s', async (_who, object) => {
    const objects: Record<string, object> = { p: object };
    const { clock, pass } = aPass(await serving(objects));
    const outcome = anOutcome({ apply: [SERVICE] });
    expect(await applyOutcome(pass, outcome)).toBe(0);
    expect([writes(), [...pass.state.notOwned.keys()]]).toEqual([[], ['Service/p']]);
    delete objects['p'];
    await clock.advance(14_000);
    expect(await applyOutcome(pass, anOutcome())).toBe(15_000);
    await clock.advance(1_000);
    expect(await applyOutcome(pass, anOutcome())).toBe(0);
    expect(pass.state.notOwned.size).toBe(0);
  });

  it('goes on after a refusal, and tries the same content again only after a minute', async () => {
    const { clock, pass } = aPass(
      await serving({}, (call, response) => {
        if (call.method === 'PATCH' && call.path.endsWith('/p-haproxy')) refuse(response, 422, 'Invalid');
      }),
    );
    const outcome = anOutcome({ apply: [MAP, SERVICE] });
    expect(await applyOutcome(pass, outcome)).toBe(0);
    expect([writes(), [...pass.state.refused.values()].map(({ message }) => message)]).toEqual([
      ['PATCH p-haproxy', 'PATCH p'],
      [expect.stringContaining('ConfigMap/p-haproxy')],
    ]);
    await clock.advance(59_000);
    expect(await applyOutcome(pass, anOutcome({ apply: [MAP] }))).toBe(1_000);
    expect(writes()).toHaveLength(2);
    await applyOutcome(pass, anOutcome({ apply: [aChild('ConfigMap', 'p-haproxy', { changed: true })] }));
    expect(writes()).toHaveLength(3);
    await clock.advance(60_000);
    await applyOutcome(pass, anOutcome({ apply: [MAP] }));
    expect(writes()).toHaveLength(4);
  });

  it('forgets a refusal when the object is not asked for any more', async () => {
    const { pass } = aPass(await serving({}, (call, response) => (call.method === 'PATCH' ? refuse(response, 422, 'Invalid') : undefined)));
    await applyOutcome(pass, anOutcome({ apply: [MAP] }));
    await applyOutcome(pass, anOutcome());
    expect(pass.state.refused.size).toBe(0);
  });

  it('fails with everything that another try can heal, and does the rest', async () => {
    const { pass } = aPass(
      await serving({}, (call, response) => {
        if (call.method === 'PATCH' && !call.path.endsWith('/p')) refuse(response, 503, 'ServiceUnavailable');
      }),
    );
    const role = aChild('Role', 'p-haproxy');
    const thrown = await applyOutcome(pass, anOutcome({ apply: [MAP, role, SERVICE] })).catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(AggregateError);
    expect((thrown as AggregateError).errors.map((error) => (error as { status: number }).status)).toEqual([503, 503]);
    expect(writes()).toEqual(['PATCH p-haproxy', 'PATCH p-haproxy', 'PATCH p']);
  });

  it('slows down where something else keeps changing an object, and only by what has arrived', async () => {
    let down = true;
    const { clock, pass } = aPass(
      await serving({}, (call, response) => (down && call.method === 'PATCH' ? refuse(response, 503, 'Down') : undefined)),
    );
    const outcome = anOutcome({ apply: [MAP] });
    await expect(applyOutcome(pass, outcome)).rejects.toThrow('Down');
    down = false;
    expect(await applyOutcome(pass, outcome)).toBeNull();
    expect(await applyOutcome(pass, outcome)).toBe(500);
    await clock.advance(500);
    expect(await applyOutcome(pass, outcome)).toBeNull();
    expect(await applyOutcome(pass, outcome)).toBe(1_000);
  });

  it('holds the count of a Deployment that has none of its own any more, and leaves it to an autoscaler that has set it', async () => {
    const deployment = aChild('Deployment', 'p-a', { template: {} });
    const facts = { ...OURS, uid: 'u-a', deployment: { wanted: 3 } as unknown as ChildFacts['deployment'] };
    const { pass } = aPass(
      await serving({}, (call, response) =>
        call.query.get('fieldManager') === 'cccam-operator-count' ? refuse(response, 409, 'Conflict') : undefined,
      ),
      { children: new Map([['Deployment/p-a', facts]]) },
    );
    await applyOutcome(pass, anOutcome({ apply: [deployment] }));
    const patches = server
      .calledWith('PATCH')
      .map(({ body, query }) => [query.get('fieldManager'), query.get('force'), (body as Body).spec]);
    expect(patches).toEqual([
      ['cccam-operator-count', null, { replicas: 3 }],
      ['cccam-operator', 'true', { template: {} }],
    ]);
  });

  it('takes out what others have added to what it applies, for those lists and texts go by names', async () => {
    const foreign: Readonly<Record<string, object>> = {
      'p-haproxy': { data: { 'haproxy.cfg': 'ours', 'extra.cfg': 'theirs' }, binaryData: { 'state.json.gz': 'theirs' } },
      p: { spec: { ports: [{ port: 12_000 }, { port: 22 }] } },
      'p-a': { spec: { template: { spec: { containers: [{ name: 'cccam' }, { name: 'theirs' }] } } } },
    };
    const { pass } = aPass(
      await serving({}, (call, response) => {
        const name = call.path.split('/').at(-1) ?? '';
        const added = isApply(call) ? foreign[name] : {};
        if (call.method === 'PATCH') json(response, 200, { ...(call.body as object), ...added });
      }),
    );
    const map = { ...MAP, data: { 'haproxy.cfg': 'ours' } };
    const service = aChild('Service', 'p', { ports: [{ port: 12_000 }] });
    const deployment = aChild('Deployment', 'p-a', { template: { spec: { containers: [{ name: 'cccam' }] } } });
    await applyOutcome(pass, anOutcome({ apply: [map, service, deployment] }));
    const merged = server.calledWith('PATCH').filter((call) => !isApply(call));
    expect(merged.map(({ body }) => body)).toMatchObject([
      { data: { 'extra.cfg': null }, binaryData: { 'state.json.gz': null } },
      { spec: { ports: [{ $patch: 'replace' }, { port: 12_000 }] } },
      { spec: { template: { spec: { $patch: 'replace', containers: [{ name: 'cccam' }] } } } },
    ]);
    expect(merged.map(({ body }) => Object.keys((body as { data?: object }).data ?? {}))).toEqual([['extra.cfg'], [], []]);
  });

  it('patches nothing more where no one has added anything', async () => {
    const { pass } = aPass(await serving());
    await applyOutcome(pass, anOutcome({ apply: [MAP, SERVICE] }));
    expect(writes()).toEqual(['PATCH p-haproxy', 'PATCH p']);
  });
});
