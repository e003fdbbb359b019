import type { Stage } from '../scenes/stage.ts';
import { type Accident, NOTHING } from './accident.ts';
import { slowDown } from './slow-down.ts';

/** So long that the traffic of sessions is known. */
const KNOWN_MS = 12_000;

function hang(stage: Stage, ...indexes: number[]): void {
  for (const index of indexes) stage.box.server(index).mode = 'hung';
}

function recover(stage: Stage): void {
  for (const server of stage.servers) server.mode = 'normal';
}

/** Everything seems to hang for a while, and is as it was afterwards. */
function allStall(servers: number): Accident['happens'] {
  return async (stage) => {
    await stage.start();
    await stage.hold(30);
    await stage.pass(KNOWN_MS);
    hang(stage, ...Array.from({ length: servers }, (_, index) => index + 1));
    await stage.pass(8_000);
    recover(stage);
    stage.come(5);
    await stage.calm(20_000);
  };
}

/** What looks as if a server hung, and places that are none. */
export const JUDGEMENT_ACCIDENTS: readonly Accident[] = [
  { name: 'the only server stalls for 8 s', servers: 1, happens: allStall(1), most: NOTHING, tells: [] },
  { name: 'every server stalls for 8 s', servers: 3, happens: allStall(3), most: NOTHING, tells: [] },
  {
    name: 'both servers stall for 8 s, and one of them has little traffic',
    servers: 2,
    async happens(stage) {
      const backends = [stage.box.backend(1, { weight: 200 }), stage.box.backend(2, { weight: 50 })];
      stage.box.server(2).quiet = true;
      await stage.start({ backends }, (server) => (server === stage.servers[0] ? 'weight 200' : 'weight 50'));
      await stage.hold(25);
      await stage.pass(KNOWN_MS);
      hang(stage, 1, 2);
      await stage.pass(8_000);
      recover(stage);
      stage.box.server(2).quiet = false;
      await stage.calm(20_000);
    },
    most: NOTHING,
    tells: [],
  },
  {
    name: 'every server takes 2.5 s to greet, for 15 s',
    servers: 3,
    async happens(stage) {
      await stage.start();
      await stage.hold(30);
      for (const server of stage.servers) slowDown(server);
      await stage.pass(15_000);
      recover(stage);
      stage.come(5);
      await stage.calm(20_000);
    },
    most: NOTHING,
    tells: [],
  },
  {
    name: 'a server whose sessions are idle takes 2.5 s to greet',
    servers: 3,
    async happens(stage) {
      for (const server of stage.servers) server.quiet = true;
      await stage.start();
      await stage.hold(30);
      await stage.pass(52_000);
      const [first] = stage.servers;
      if (first !== undefined) slowDown(first);
      stage.come(6);
      await stage.pass(6_000);
      for (const server of stage.servers) server.quiet = false;
      recover(stage);
      await stage.calm(20_000);
    },
    most: NOTHING,
    tells: [],
  },
  {
    name: 'a server hangs, and the only other one cannot be reached for long',
    servers: 2,
    async happens(stage) {
      await stage.start();
      await stage.hold(20);
      const mend = await stage.cut(stage.servers.slice(1));
      await stage.pass(70_000);
      hang(stage, 1);
      await stage.pass(8_000);
      recover(stage);
      await mend();
      await stage.calm(20_000);
    },
    most: { lost: 0, unserved: 10 },
    tells: ['Unreachable'],
  },
  {
    name: 'a server hangs, the other Active is full, and a Backup stands by',
    servers: 3,
    async happens(stage) {
      const full = { capacity: { maxConnections: 10 } };
      const backends = [stage.box.backend(1, full), stage.box.backend(2, full), stage.box.backend(3, { role: 'Backup' })];
      await stage.start({ backends }, (server) => (server === stage.servers[2] ? 'backup' : 'maxconn 10'));
      await stage.hold(20);
      await stage.pass(KNOWN_MS);
      hang(stage, 1);
      await stage.calm(15_000);
    },
    most: { lost: 0, unserved: 10 },
    tells: ['Hung'],
  },
  {
    name: 'a server with twenty sessions hangs, and the other one has five places left',
    servers: 2,
    async happens(stage) {
      const backends = [1, 2].map((index) => stage.box.backend(index, { capacity: { maxConnections: 25 } }));
      await stage.start({ backends }, () => 'maxconn 25');
      await stage.hold(40, { retryMs: 6_000 });
      await stage.pass(KNOWN_MS);
      hang(stage, 1);
      await stage.calm(20_000);
    },
    most: { lost: 5, unserved: 15 },
    tells: ['Hung', 'SessionsClosed'],
  },
  {
    name: 'an outage of 20 s to a server that is not checked',
    servers: 3,
    async happens(stage) {
      await stage.start({ health: { mode: 'Passive' } });
      await stage.hold(60);
      await stage.pass(KNOWN_MS);
      const mend = await stage.cut(stage.servers.slice(0, 1));
      stage.come(15);
      await stage.pass(20_000);
      await mend();
      await stage.calm(40_000);
    },
    most: NOTHING,
    tells: [],
  },
];
