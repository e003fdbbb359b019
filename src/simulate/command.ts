import { type Clock, systemClock } from '../runtime/clock.ts';
import { listenAddress } from '../runtime/listen-address.ts';
import { Shutdown } from '../runtime/shutdown.ts';
import { type RetryPolicy, startClients } from './client.ts';
import { type ServerLimit, type ServerMode, SimulatedServer } from './server.ts';

/** Options of `cccam-operator simulate server`. */
export interface SimulateServerOptions {
  readonly host: string;
  readonly port: number;
  readonly label: string;
  readonly mode: ServerMode;
  readonly slowMs: number;
  readonly limit: ServerLimit | null;
}

/** `simulate server`: one server until SIGTERM. SIGTERM cuts everybody off, as OSCam does. */
export async function simulateServer(options: SimulateServerOptions): Promise<number> {
  const shutdown = new Shutdown();
  const server = new SimulatedServer({ ...options, host: await listenAddress(options.host) });
  server.mode = options.mode;
  server.limit = options.limit;
  await server.listen();
  console.log(`${server.label} listens on ${server.host}:${server.port} (${server.mode})`);
  await shutdown.requested();
  await server.kill();
  shutdown.dispose();
  return 0;
}

/** Options of `cccam-operator simulate clients`. */
export interface SimulateClientsOptions {
  readonly host: string;
  readonly port: number;
  readonly count: number;
  readonly retry: RetryPolicy;
  readonly patienceMs: number | null;
}

const REPORT_EVERY_MS = 5_000;

/** `simulate clients`: clients that hold sessions until SIGTERM, with a line now and then of who serves them. */
export async function simulateClients(options: SimulateClientsOptions, clock: Clock = systemClock): Promise<number> {
  const shutdown = new Shutdown();
  const { clients, done } = startClients(options.count, { ...options, ...source(options.host) }, shutdown.stopping);
  while (!shutdown.stopping.aborted) {
    await clock.sleep(REPORT_EVERY_MS, shutdown.stopping);
    const served = Map.groupBy(clients, (client) => client.servedBy ?? '(none)');
    const shares = [...served].sort().map(([label, group]) => `${label} ${group.length}`);
    console.log(`${shares.join(', ')}; sessions lost ${clients.reduce((sum, client) => sum + client.lost, 0)}`);
  }
  await done;
  shutdown.dispose();
  return 0;
}

/** Clients of this machine's own IPv4 addresses come from many; to any other address from whichever the kernel takes. */
function source(host: string): { readonly from?: string } {
  if (host.startsWith('127.')) return {};
  return { from: host.includes(':') ? '::' : '0.0.0.0' };
}
