import { ConfigStore } from '../haproxy/config-store.ts';
import { Converger } from '../haproxy/converger.ts';
import type { Report } from '../haproxy/event.ts';
import type { ProxyModel } from '../haproxy/model.ts';
import { haproxyVersion } from '../haproxy/supervisor.ts';
import type { Roster } from '../pool/roster.ts';
import { ProxyTelemetry } from '../proxy/telemetry.ts';
import type { Clock } from '../runtime/clock.ts';
import { Acceptance } from './acceptance.ts';
import { BoxHttp } from './box-http.ts';
import { Controller } from './controller.ts';
import { Host } from './host.ts';
import { Keeper } from './keeper.ts';
import { keepLastGood, type LastGood } from './last-good.ts';
import { LatestWriter } from './latest-writer.ts';
import type { Output, RunEvent } from './output.ts';
import { isOwnAddress } from './own-addresses.ts';
import { bootId, type PoolClock, poolClock } from './pool-clock.ts';
import { type FirstPool, firstPool } from './pool-source.ts';
import { proxyRunEvent, type RunEventReason, statusRunEvents } from './run-event.ts';
import { loadRoster, openStateFolder, type StateFolder, saveRoster } from './state-folder.ts';

/** What a box is opened with. */
export interface StandaloneOptions {
  readonly file: string;
  /** Folder for state and sockets, or null for the usual one. */
  readonly stateDir: string | null;
  readonly haproxy: string;
  /** Address that clients connect to. */
  readonly bind: string;
  /** Port on 127.0.0.1 for observations and metrics; 0 takes any, null serves none. */
  readonly httpPort: number | null;
  readonly once: boolean;
}

/** One pool on one machine, with everything that works for it. */
export interface Standalone {
  /** What the file said at the start; null where it could not be read. */
  readonly seen: string | null;
  readonly folder: StateFolder;
  readonly clock: Clock;
  readonly controller: Controller;
  readonly acceptance: Acceptance;
  readonly converger: Converger;
  readonly keeper: Keeper;
  readonly config: ConfigStore;
  /** Waits until everything that should be on disk is. */
  readonly flush: () => Promise<void>;
  readonly http: BoxHttp | null;
}

/** What is known before anything is made. */
interface Ground {
  readonly options: StandaloneOptions;
  readonly output: Output;
  readonly first: FirstPool;
  readonly folder: StateFolder;
  readonly host: Host;
  readonly time: PoolClock;
}

/**
 * Opens a pool on this machine: adopts or starts its HAProxy.
 *
 * @throws CccamError for everything that keeps it from starting
 */
export async function openStandalone(options: StandaloneOptions, output: Output, base: Clock, signal: AbortSignal): Promise<Standalone> {
  const own = (address: string): boolean => isOwnAddress(options.bind, address);
  const first = await firstPool({ ...options, mayFallBack: !options.once, own });
  await haproxyVersion(options.haproxy);
  const folder = await openStateFolder(first.stateDir);
  const [saved, host, boot] = await Promise.all([loadRoster(folder), Host.look(options.bind, folder), bootId()]);
  if (saved.setAside !== null) output.event(warning('StateSetAside', saved.setAside, 'it could not be read; starting without it'));
  if (host.warning !== null) output.event(warning('WorkerUser', folder.path, host.warning));
  return await assemble({ options, output, first, folder, host, time: poolClock(base, saved, boot) }, signal);
}

async function assemble({ first, folder, host, options, output, time }: Ground, signal: AbortSignal): Promise<Standalone> {
  const { clock } = time;
  const telemetry = new ProxyTelemetry(clock);
  const report: Report = (event) => {
    telemetry.count(event);
    output.event(proxyRunEvent(event));
  };
  const rosters = new LatestWriter<Roster>(async (roster) => await saveRoster(folder, roster, time.save()), report);
  const kept = new LatestWriter<LastGood>(async (pool) => await keepLastGood(folder.path, pool), report);
  const config = new ConfigStore(folder.configFile, options.haproxy, report);
  const { pool } = first.reading.parsed;
  let model: ProxyModel | undefined;
  const controller = new Controller(
    { pool, runtime: host.runtimeFor(pool, first.reading.data), roster: time.roster, clock, hostAttentions: () => host.attentions() },
    {
      onModel: (next, revision) => {
        model = next;
        converger.want(next, revision);
      },
      onRoster: (roster) => rosters.save(roster),
      onStatus: (status, previous) => {
        for (const event of statusRunEvents(previous, status, pool.metadata.name)) output.event(event);
        output.status(status);
      },
    },
  );
  const acceptance = new Acceptance(first, { file: options.file, controller, host, kept, output, wall: () => clock.wall() });
  const converger = new Converger({
    sockets: folder.sockets,
    config,
    clock,
    report,
    onClosed: (reason, sessions) => telemetry.countClosed(reason, sessions),
    onObservation: (observation) => {
      telemetry.update(observation);
      controller.observe(observation);
      rosters.retry();
      kept.retry();
    },
  });
  const keeper = new Keeper(
    { binary: options.haproxy, configFile: folder.configFile, logFile: folder.logFile, pidFile: folder.pidFile, sockets: folder.sockets },
    () => ({ address: options.bind, port: controller.pool.spec.port }),
    clock,
    report,
  );
  const onEvent = (event: RunEvent): void => output.event(event);
  const http =
    options.once || options.httpPort === null ? null : new BoxHttp({ port: options.httpPort, routes: telemetry.routes(), clock, onEvent });
  await http?.open();
  controller.decide();
  await keeper.begin(async () => {
    if (model !== undefined) await config.writeForStart(model);
  }, signal);
  const flush = async (): Promise<void> => {
    await Promise.all([rosters.flush(), kept.flush()]);
  };
  return { seen: first.seen, folder, clock, controller, acceptance, converger, keeper, config, flush, http };
}

function warning(reason: RunEventReason, subject: string, message: string): RunEvent {
  return { severity: 'Warning', reason, subject, message };
}
