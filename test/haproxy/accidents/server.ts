import type { ServerLimit } from '../../../src/simulate/server.ts';
import type { Stage } from '../scenes/stage.ts';
import { type Accident, NOTHING } from './accident.ts';
import { slowDown } from './slow-down.ts';

/** Three servers with forty places each and 130 clients: ten too many. */
function fullServers(full: ServerLimit['full']): (stage: Stage) => Promise<void> {
  return async (stage) => {
    for (const server of stage.servers) server.limit = { sessions: 40, full };
    await stage.start();
    stage.come(130);
    await stage.pass(25_000);
  };
}

/** What servers do: their own limits, bans, crashes, hangs. */
export const SERVER_ACCIDENTS: readonly Accident[] = [
  {
    name: 'servers at their own limit close the next client',
    servers: 3,
    happens: fullServers('close'),
    most: { lost: 0, unserved: 10 },
    tells: ['Full'],
  },
  {
    name: 'servers at their own limit ignore the next client',
    servers: 3,
    happens: fullServers('silent'),
    most: { lost: 0, unserved: 10 },
    tells: ['Full'],
  },
  {
    name: 'servers at their own limit greet the next client and close it after its login',
    servers: 3,
    happens: fullServers('greet'),
    most: { lost: 0, unserved: 10 },
    tells: [],
  },
  {
    name: "every server bans the proxy's address for 20 s",
    servers: 3,
    async happens(stage) {
      await stage.start();
      await stage.hold(40);
      await stage.pass(12_000); // checks have found it well at that many sessions, so that it is not taken for full
      for (const server of stage.servers) server.mode = 'banning';
      await stage.pass(20_000);
      for (const server of stage.servers) server.mode = 'normal';
      stage.come(5);
      await stage.calm(30_000);
    },
    most: NOTHING,
    tells: ['RefusesProxy'],
  },
  {
    name: "a firewall before every server refuses the proxy's new connections for 20 s",
    servers: 3,
    async happens(stage) {
      await stage.start();
      await stage.hold(40);
      const mend = await stage.cut(stage.servers, ['-p', 'tcp', '--syn', '-j', 'REJECT', '--reject-with', 'tcp-reset']);
      await stage.pass(20_000);
      await mend();
      stage.come(5);
      await stage.calm(30_000);
    },
    most: NOTHING,
    tells: ['RefusesProxy'],
  },
  {
    name: 'a server allows ten connections a minute of one address',
    servers: 2,
    async happens(stage) {
      for (const server of stage.servers) server.ban = { connections: 10, withinMs: 60_000, forMs: 20_000 };
      await stage.start();
      await stage.hold(8);
      await stage.pass(30_000);
    },
    most: NOTHING,
    tells: [],
  },
  {
    name: 'a server crashes and is back after 5 s',
    servers: 3,
    async happens(stage) {
      await stage.start();
      await stage.hold(30);
      await stage.servers[0]?.kill();
      await stage.pass(5_000);
      await stage.servers[0]?.listen();
      await stage.calm(10_000);
    },
    most: { lost: 10, unserved: 0 },
    tells: ['Down'],
  },
  {
    name: 'every server crashes and is back after 5 s',
    servers: 3,
    async happens(stage) {
      await stage.start();
      await stage.hold(30);
      for (const server of stage.servers) await server.kill();
      await stage.pass(5_000);
      for (const server of stage.servers) await server.listen();
      await stage.calm(20_000);
    },
    most: { lost: 30, unserved: 0 },
    tells: ['Down'],
  },
  {
    name: 'a server hangs, and some of its clients came before the last reload',
    servers: 2,
    async happens(stage) {
      await stage.start();
      await stage.hold(20);
      await stage.reload();
      await stage.hold(20);
      await stage.pass(10_000);
      const [first] = stage.servers;
      if (first !== undefined) first.mode = 'hung';
      await stage.calm(40_000);
    },
    most: { lost: 20, unserved: 0 },
    tells: ['Hung', 'SessionsClosed'],
  },
  {
    name: 'a server resets every new client',
    servers: 3,
    async happens(stage) {
      await stage.start();
      await stage.hold(30);
      const [first] = stage.servers;
      if (first !== undefined) first.mode = 'closing';
      stage.come(20);
      await stage.calm(15_000);
    },
    most: NOTHING,
    tells: ['Full|RefusesProxy'],
  },
  {
    name: 'a server accepts connections and says nothing',
    servers: 3,
    async happens(stage) {
      await stage.start();
      await stage.hold(30);
      const [first] = stage.servers;
      if (first !== undefined) first.limit = { sessions: 0, full: 'silent' };
      stage.come(20);
      await stage.pass(12_000);
      await stage.calm(20_000);
    },
    most: NOTHING,
    tells: ['Full'],
  },
  {
    name: 'a server greets with fifteen bytes',
    servers: 3,
    async happens(stage) {
      await stage.start();
      await stage.hold(30);
      const [first] = stage.servers;
      if (first !== undefined) first.greetingBytes = 15;
      stage.come(20);
      await stage.pass(12_000);
      await stage.calm(20_000);
    },
    most: NOTHING,
    tells: ['Full'],
  },
  {
    name: 'a server takes 2.5 s to greet',
    servers: 3,
    async happens(stage) {
      await stage.start();
      await stage.hold(30);
      const [first] = stage.servers;
      if (first !== undefined) slowDown(first);
      stage.come(20);
      await stage.calm(20_000);
    },
    most: NOTHING,
    tells: [],
  },
  {
    name: 'every Active server dies, and a Backup takes over',
    servers: 3,
    async happens(stage) {
      const [, , backup] = stage.servers;
      const role = (index: number): Record<string, unknown> =>
        index === 3 ? { role: 'Backup', capacity: { cores: 1, latencyMs: 200 } } : { capacity: { cores: 4, cards: 4, latencyMs: 1 } };
      await stage.start({ backends: [1, 2, 3].map((index) => stage.box.backend(index, role(index))) }, (server) =>
        server === backup ? 'backup' : '',
      );
      await stage.hold(100);
      await stage.servers[0]?.kill();
      await stage.servers[1]?.kill();
      await stage.calm(20_000);
    },
    most: { lost: 100, unserved: 0 },
    tells: ['Down'],
  },
];
