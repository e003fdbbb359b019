import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anActualProxy, anActualServer, anActualWorker, anEffectiveModel, aServer, aStructure } from '../../test/fakes/pools.ts';
import type { ActualServer, ActualWorker } from './actual.ts';
import { type Command, commandText } from './command.ts';
import { type Difference, diff as diffOf } from './diff.ts';
import type { EffectiveModel } from './effective.ts';
import { structureHash } from './render.ts';

const diff = (wanted: EffectiveModel, worker: ActualWorker): Difference => diffOf(wanted, anActualProxy(worker));
const s1 = aServer(1);
const s2 = aServer(2);

function texts(difference: Difference): string[] {
  return difference.commands.map(commandText);
}

describe('diff', () => {
  it('is nothing when HAProxy runs just what is wanted', () => {
    const wanted = anEffectiveModel([s1, aServer(2, { state: 'drain' })]);
    const actual = anActualWorker([anActualServer(s1), anActualServer(s2, { admin: 'drain' })]);
    expect(diff(wanted, actual)).toEqual({ commands: [], reload: [], awaiting: [] });
  });

  it('adds a server out of rotation, with its checks on, and waits for its greeting', () => {
    const wanted = anEffectiveModel([s1, { ...s2, state: 'drain', awaits: true }]);
    const difference = diff(wanted, anActualWorker([anActualServer(s1)]));
    expect(texts(difference)).toEqual([
      'add server servers/s2-127.0.1.2:12001 127.0.1.2:12001 id 2 weight 100 maxconn 500 check inter 60000ms fastinter 2000ms fall 3 rise 2',
      'enable health servers/s2-127.0.1.2:12001',
      'set server servers/s2-127.0.1.2:12001 state drain',
    ]);
    expect(difference.awaiting).toMatchObject([{ name: s2.name }]);
  });

  it('sets a server ready only once it was heard to greet', () => {
    const actual = anActualWorker([anActualServer(s1, { admin: 'drain' })]);
    const awaiting = anEffectiveModel([{ ...s1, state: 'drain', awaits: true }]);
    expect(diff(awaiting, actual)).toMatchObject({ commands: [], awaiting: [{ name: s1.name }] });
    expect(texts(diff(anEffectiveModel([s1]), actual))).toEqual([`set server servers/${s1.name} state ready`]);
  });

  it('takes a server that may not serve for down, without touching its sessions, and back', () => {
    const out = anEffectiveModel([{ ...s1, usable: false, ownChecks: false }]);
    expect(texts(diff(out, anActualWorker([anActualServer(s1, { sessions: 9 })])))).toEqual([
      `disable health servers/${s1.name}`,
      `set server servers/${s1.name} health down`,
    ]);
    const down = anActualWorker([anActualServer(s1, { operational: 'down' })]);
    expect(texts(diff(anEffectiveModel([s1]), down))).toEqual([`set server servers/${s1.name} health up`]);
  });

  it('never has a server in rotation that may not serve, out of maint neither', () => {
    const out = anEffectiveModel([{ ...s1, usable: false }]);
    expect(texts(diff(out, anActualWorker([anActualServer(s1, { admin: 'maint', operational: 'down' })])))).toEqual([
      `set server servers/${s1.name} state drain`,
    ]);
    expect(texts(diff(out, anActualWorker([anActualServer(s1, { admin: 'drain' })])))).toEqual([
      `set server servers/${s1.name} health down`,
      `set server servers/${s1.name} state ready`,
    ]);
  });

  it('forgets clients that a Backup took in, and no clients where the worker has no table for them', () => {
    const backup = aServer(2, { backup: true });
    const found = anActualServer(backup, { remembered: 4 });
    expect(texts(diff(anEffectiveModel([backup]), anActualWorker([found])))).toEqual(['clear table servers data.server_id eq 2']);
    const before = anActualWorker([anActualServer(s1)], aStructure({ stickinessMs: null }));
    const draining = diff(anEffectiveModel([aServer(1, { state: 'drain' })]), before);
    expect([texts(draining), draining.reload]).toEqual([[`set server servers/${s1.name} state drain`], ['the structure changed']]);
  });

  it('puts right what concerns the worker as a whole', () => {
    const worker = anActualWorker([], aStructure());
    const wrong = { ...worker.process, frontend: 'paused', frontendLimit: 7, rateLimited: true } as const;
    expect(texts(diff(anEffectiveModel([]), { ...worker, process: wrong }))).toEqual([
      'enable frontend clients',
      'set maxconn frontend clients 1050; set maxconn global 1050',
      'set rate-limit connections global 0; set rate-limit sessions global 0; set rate-limit ssl-sessions global 0',
    ]);
    const paused = diff({ ...anEffectiveModel([]), frontend: 'paused' }, worker);
    expect(texts(paused)).toEqual(['disable frontend clients']);
    expect(diff(anEffectiveModel([]), { ...worker, process: { ...worker.process, frontend: 'stopped' } }).reload).toEqual([
      'the frontend was shut down',
    ]);
  });

  it('tells the worker how many sessions earlier ones hold', () => {
    const old = [
      {
        pid: 7,
        sessions: new Map([
          ['a', 3],
          ['b', 4],
        ]),
      },
      { pid: 8, sessions: null },
    ];
    expect(texts(diffOf(anEffectiveModel([]), anActualProxy(anActualWorker([]), old)))).toEqual(['set table counts key 1 data.gpt0 7']);
  });

  it('has checks go to the server itself', () => {
    const actual = anActualWorker([anActualServer(s1, { checksOwnAddress: false })]);
    expect(texts(diff(anEffectiveModel([s1]), actual))).toEqual([`set server servers/${s1.name} check-addr 127.0.1.1 port 12001`]);
  });

  it('switches no checks that are not there', () => {
    expect(
      diff(anEffectiveModel([{ ...s1, ownChecks: false }]), anActualWorker([anActualServer(s1, { checks: 'none' })])).commands,
    ).toEqual([]);
    expect(diff(anEffectiveModel([s1]), anActualWorker([anActualServer(s1, { checks: 'none' })])).commands).toEqual([]);
  });

  it('drains a server and forgets its sticky clients', () => {
    const wanted = anEffectiveModel([aServer(1, { state: 'drain' })]);
    expect(texts(diff(wanted, anActualWorker([anActualServer(s1)])))).toEqual([
      `set server servers/${s1.name} state drain`,
      'clear table servers data.server_id eq 1',
    ]);
  });

  it('forgets them again when a peer hands them back', () => {
    const wanted = anEffectiveModel([aServer(1, { state: 'drain' })]);
    const actual = anActualWorker([anActualServer(s1, { admin: 'drain', remembered: 3 })]);
    expect(texts(diff(wanted, actual))).toEqual(['clear table servers data.server_id eq 1']);
  });

  it('takes a server away in steps, and only when no session remains', () => {
    const gone = (changes: Partial<ActualServer>): string[] =>
      texts(diff(anEffectiveModel([]), anActualWorker([anActualServer(s1, changes)])));
    expect(gone({ sessions: 5 })).toEqual([`set server servers/${s1.name} state drain`, 'clear table servers data.server_id eq 1']);
    expect(gone({ sessions: 5, admin: 'drain' })).toEqual([]);
    expect(gone({ sessions: 0 })).toEqual([`set server servers/${s1.name} state drain`, 'clear table servers data.server_id eq 1']);
    expect(gone({ sessions: 0, admin: 'drain' })).toEqual([`set server servers/${s1.name} state maint`]);
    expect(gone({ sessions: 0, admin: 'maint' })).toEqual(['clear table servers data.server_id eq 1', `del server servers/${s1.name}`]);
  });

  it('waits with a server whose id is not free yet, and needs no reload for that', () => {
    const heir = aServer(1, { name: 'heir-127.0.1.9:12001', address: '127.0.1.9' });
    const leaving = diff(anEffectiveModel([heir]), anActualWorker([anActualServer(s1, { admin: 'drain' })]));
    expect(texts(leaving)).toEqual([`set server servers/${s1.name} state maint`]);
    expect(leaving.reload).toEqual([]);
    const free = diff(anEffectiveModel([heir]), anActualWorker([anActualServer(s1, { admin: 'maint' })]));
    expect(texts(free).slice(1, 3)).toEqual([`del server servers/${s1.name}`, expect.stringContaining('add server servers/heir')]);
  });

  it.each([
    ['the structure', anActualWorker([anActualServer(s1)], aStructure({ idleMs: 60_000 })), 'the structure changed'],
    [
      'a configuration that is not ours',
      anActualWorker([anActualServer(s1)], aStructure(), { structureHash: null }),
      'the structure changed',
    ],
    ['an address', anActualWorker([anActualServer(s1, { address: '127.0.1.77' })]), `address of ${s1.name}`],
    ['a role', anActualWorker([anActualServer(s1, { backup: true })]), `role of ${s1.name}`],
    ['an id', anActualWorker([anActualServer(s1, { id: 7 })]), `id of ${s1.name}`],
  ])('needs a reload for %s, because no command can change it under live sessions', (_what, actual: ActualWorker, reason) => {
    const { commands, reload } = diff(anEffectiveModel([s1]), actual);
    expect(reload).toEqual([reason]);
    expect(commands).toEqual([]);
  });

  it('puts weight, maxconn and checks right without touching anything else', () => {
    const actual = anActualWorker([anActualServer(s1, { weight: 3, maxConnections: 1, checks: 'off' })]);
    expect(texts(diff(anEffectiveModel([s1]), actual))).toEqual([
      `enable health servers/${s1.name}`,
      `set server servers/${s1.name} weight 100`,
      `set maxconn server servers/${s1.name} 500`,
    ]);
  });
});

describe('diff and HAProxy together', () => {
  const anyState = fc.constantFrom('ready' as const, 'drain' as const);
  const wantedServers = fc
    .uniqueArray(
      fc.record({ id: fc.integer({ min: 1, max: 8 }), weight: fc.integer({ min: 0, max: 256 }), state: anyState, usable: fc.boolean() }),
      {
        selector: (server) => server.id,
        maxLength: 8,
      },
    )
    .map((list) => list.map(({ usable, ...server }) => ({ ...aServer(server.id, server), usable })));
  const actualServers = fc
    .uniqueArray(
      fc.record({
        id: fc.integer({ min: 1, max: 8 }),
        weight: fc.integer({ min: 0, max: 256 }),
        admin: fc.constantFrom('ready' as const, 'drain' as const, 'maint' as const),
        sessions: fc.nat(2),
        checks: fc.constantFrom('on' as const, 'off' as const, 'none' as const),
        operational: fc.constantFrom('up' as const, 'down' as const),
      }),
      { selector: (server) => server.id, maxLength: 8 },
    )
    .map((list) => list.map((server) => anActualServer(aServer(server.id), server)));

  it('reach the wanted state within six rounds from any state, never by maint or deletion of a server with sessions', () => {
    fc.assert(
      fc.property(wantedServers, actualServers, (servers, running) => {
        const wanted = anEffectiveModel(servers);
        let worker = anActualWorker(running);
        for (let round = 0; round < 6; round += 1) {
          const { commands, reload } = diff(wanted, worker);
          expect(reload).toEqual([]);
          for (const command of commands) worker = apply(worker, command, wanted);
        }
        const last = diff(wanted, worker);
        expect(last.commands).toEqual([]);
        for (const server of servers)
          expect(worker.servers.find((each) => each.name === server.name)).toMatchObject({
            weight: server.weight,
            admin: server.state,
            operational: server.usable ? 'up' : 'down',
          });
        for (const server of worker.servers) expect(servers.some((each) => each.name === server.name) || server.sessions > 0).toBe(true);
      }),
    );
  });

  it('send no session to a server that has not sent its greeting', () => {
    fc.assert(
      fc.property(wantedServers, actualServers, (servers, running) => {
        const awaiting = servers.map((server) => ({ ...server, state: 'drain' as const, awaits: server.state === 'ready' }));
        const { commands } = diff(anEffectiveModel(awaiting), anActualWorker(running));
        expect(commands.some((command) => command.kind === 'state' && command.state === 'ready')).toBe(false);
      }),
    );
  });
});

/** What HAProxy does with a command, as measured. */
function apply(worker: ActualWorker, command: Command, wanted: EffectiveModel): ActualWorker {
  expect(worker.structureHash).toBe(structureHash(wanted.structure));
  const change = (name: string, changes: Partial<ActualServer>): ActualWorker => ({
    ...worker,
    servers: worker.servers.map((server) => (server.name === name ? { ...server, ...changes } : server)),
  });
  const find = (name: string): ActualServer => worker.servers.find((server) => server.name === name) ?? fail(name);
  switch (command.kind) {
    case 'add':
      expect(worker.servers.some((server) => server.id === command.server.id || server.name === command.server.name)).toBe(false);
      return {
        ...worker,
        servers: [...worker.servers, anActualServer(command.server, { admin: 'maint', operational: 'down', checks: 'off' })],
      };
    case 'checks':
      expect(find(command.name).checks).not.toBe('none'); // HAProxy refuses it then
      return change(command.name, { checks: command.on ? 'on' : 'off' });
    case 'state':
      if (command.state === 'maint') expect(find(command.name).sessions).toBe(0);
      // Out of maint a server is up again, whatever it was before.
      if (command.state !== 'maint' && find(command.name).admin === 'maint')
        return change(command.name, { admin: command.state, operational: 'up' });
      return change(command.name, { admin: command.state });
    case 'weight':
      return change(command.name, { weight: command.weight });
    case 'max-connections':
      return change(command.name, { maxConnections: command.maxConnections });
    case 'delete':
      expect(find(command.name)).toMatchObject({ admin: 'maint', sessions: 0 });
      return { ...worker, servers: worker.servers.filter((server) => server.name !== command.name) };
    case 'forget-clients':
      return { ...worker, servers: worker.servers.map((server) => (server.id === command.id ? { ...server, remembered: 0 } : server)) };
    case 'health':
      return change(command.name, { operational: command.health });
    default:
      return worker; // about the worker as a whole
  }
}

function fail(name: string): never {
  throw new Error(`${name} is not there`);
}
