import { run } from '../scenes/shell.ts';
import type { Stage } from '../scenes/stage.ts';
import { type Accident, NOTHING } from './accident.ts';

/** No packet gets through to the servers for a while; the kernel sends again what was lost, ever more rarely. */
function outage(ms: number, servers: number | null = null): (stage: Stage) => Promise<void> {
  return async (stage) => {
    await stage.start();
    await stage.hold(60);
    await stage.pass(10_000); // the traffic of the sessions is known
    const mend = await stage.cut(servers === null ? stage.servers : stage.servers.slice(0, servers));
    await stage.pass(ms);
    await mend();
    await stage.calm(70_000);
  };
}

/** Something is wrong with every way for 15 s. @param begin command that begins it @param end command that ends it */
function badLine(begin: readonly string[], end: readonly string[]): (stage: Stage) => Promise<void> {
  return async (stage) => {
    await stage.start();
    await stage.hold(30);
    await run(...split(begin));
    await stage.pass(15_000);
    await run(...split(end));
    stage.come(5);
    await stage.calm(40_000);
  };
}

function split([program = '', ...args]: readonly string[]): [string, ...string[]] {
  return [program, ...args];
}

const LOSS = ['INPUT', '-m', 'statistic', '--mode', 'random', '--probability', '0.3', '-j', 'DROP'];
const NARROW = ['root', 'tbf', 'rate', '48kbit', 'burst', '4k', 'latency', '800ms'];

/** What the network does, and the proxy's own machine. */
export const NETWORK_ACCIDENTS: readonly Accident[] = [
  { name: 'an outage of 16 s between proxy and servers', servers: 3, happens: outage(16_000), most: NOTHING, tells: [] },
  { name: 'an outage of 45 s between proxy and servers', servers: 3, happens: outage(45_000), most: NOTHING, tells: ['ServersLost'] },
  {
    name: 'an outage of 16 s between proxy and one of three servers',
    servers: 3,
    happens: outage(16_000, 1),
    most: NOTHING,
    tells: [],
  },
  {
    name: 'thirty of a hundred packets are lost for 15 s',
    servers: 3,
    happens: badLine(['iptables', '-I', ...LOSS], ['iptables', '-D', ...LOSS]),
    most: NOTHING,
    tells: [],
  },
  {
    name: 'the line is so narrow that packets are up to 800 ms late, for 15 s',
    servers: 3,
    happens: badLine(['tc', 'qdisc', 'add', 'dev', 'lo', ...NARROW], ['tc', 'qdisc', 'del', 'dev', 'lo', 'root']),
    most: NOTHING,
    tells: [],
  },
  {
    name: 'a server loses its power and does not come back',
    servers: 3,
    async happens(stage) {
      await stage.start();
      await stage.hold(30);
      await stage.cut(stage.servers.slice(0, 1));
      await stage.pass(5_000);
      stage.come(20);
      await stage.calm(20_000);
    },
    most: { lost: 0, unserved: 10 },
    tells: ['Unreachable'],
  },
  {
    name: "the proxy's machine has no route to the servers for 10 s",
    servers: 3,
    async happens(stage) {
      await stage.start();
      await stage.hold(30);
      const hosts = stage.servers.map(({ host }) => host);
      for (const host of hosts) await run('ip', 'route', 'add', 'throw', host, 'table', 'local');
      stage.come(5);
      await stage.pass(10_000);
      for (const host of hosts) await run('ip', 'route', 'del', 'throw', host, 'table', 'local');
      await stage.calm(40_000);
    },
    most: NOTHING,
    tells: ['LocalErrors'],
  },
  {
    name: "the proxy's machine runs out of local ports for 10 s",
    servers: 2,
    async happens(stage) {
      await stage.start();
      await stage.hold(40);
      await run('sysctl', '-qw', 'net.ipv4.tcp_tw_reuse=0', 'net.ipv4.ip_local_port_range=61000 61009');
      stage.come(40);
      await stage.pass(10_000);
      await run('sysctl', '-qw', 'net.ipv4.ip_local_port_range=32768 60999');
      await stage.calm(20_000);
    },
    most: NOTHING,
    tells: ['LocalErrors'],
  },
];
