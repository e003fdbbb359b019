import { type CccamPool, durationMs, isSet } from '../api/v1alpha1/index.ts';
import { ConfigStore } from '../haproxy/config-store.ts';
import { Converger } from '../haproxy/converger.ts';
import type { ProxyEvent } from '../haproxy/event.ts';
import { fittingMaxConnections, hardFileLimit } from '../haproxy/file-limit.ts';
import type { ProxyModel } from '../haproxy/model.ts';
import { haproxyVersion, stopHaproxy } from '../haproxy/supervisor.ts';
import type { ProxyPlace } from '../pool/proxy-model.ts';
import { ProxyTelemetry } from '../proxy/telemetry.ts';
import { type Clock, systemClock } from '../runtime/clock.ts';
import { type HttpServer, serveHttp } from '../runtime/http-server.ts';
import { Shutdown } from '../runtime/shutdown.ts';
import { Controller } from './controller.ts';
import { followFile } from './file-follower.ts';
import { Keeper } from './keeper.ts';
import { workerUser } from './machine.ts';
import { eventNews, issueNews, type RunNewsReason, transitionNews } from './news.ts';
import { createOutput, type News, type Output, type OutputKind } from './output.ts';
import { parsePoolFile, readFirstPool } from './pool-file.ts';
import { RosterWriter } from './roster-writer.ts';
import { defaultStateFolder, loadRoster, openStateFolder, type StateFolder } from './state-folder.ts';

/** Options of `cccam-operator run`. */
export interface RunOptions {
  readonly file: string;
  /** Folder for state and sockets, or null for the usual one. */
  readonly stateDir: string | null;
  readonly haproxy: string;
  /** Address that clients connect to. */
  readonly bind: string;
  /** Port on 127.0.0.1 for observations and metrics; 0 takes any, null serves none. */
  readonly httpPort: number | null;
  readonly once: boolean;
  readonly output: OutputKind;
  /** How long sessions may live on after SIGTERM, or null for the pool's own drain deadline. */
  readonly graceMs: number | null;
}

/** How long `--once` waits until the pool serves. */
const ONCE_LIMIT_MS = 30_000;
const ONCE_LOOK_MS = 50;

/**
 * Serves one pool on this machine, without Kubernetes, until SIGTERM or SIGINT.
 *
 * @returns the exit code: 0, or 1 when `once` found the pool not ready
 * @throws CccamError for everything that keeps it from starting
 */
export async function run(options: RunOptions, clock: Clock = systemClock): Promise<number> {
  const output = createOutput(options.output, options.once, process.stdout, () => clock.now());
  const shutdown = new Shutdown();
  try {
    const box = await openBox(options, output, clock, shutdown.ending);
    return options.once ? await serveOnce(box, clock, shutdown) : await serve(box, options, output, clock, shutdown);
  } finally {
    output.end();
    shutdown.dispose();
  }
}

/** One pool on one machine, with everything that works for it. */
interface Box {
  readonly firstText: string;
  readonly folder: StateFolder;
  readonly controller: Controller;
  readonly converger: Converger;
  readonly keeper: Keeper;
  readonly rosters: RosterWriter;
  readonly http: HttpServer | null;
  /** Where a pool would run here. @throws CccamError CCP_FILE_LIMIT */
  readonly placeOf: (pool: CccamPool, data: unknown) => ProxyPlace;
}

async function openBox(options: RunOptions, output: Output, clock: Clock, signal: AbortSignal): Promise<Box> {
  const first = await readFirstPool(options.file);
  const { pool } = first.parsed;
  await haproxyVersion(options.haproxy);
  const folder = await openStateFolder(options.stateDir ?? defaultStateFolder(pool.metadata.name));
  const [saved, fileLimit, worker] = await Promise.all([loadRoster(folder), hardFileLimit(), workerUser(folder.path)]);
  const placeOf = (next: CccamPool, data: unknown): ProxyPlace => {
    const stated = isSet(data, ['spec', 'proxy', 'maxConnections']);
    const maxConnections = fittingMaxConnections(next.spec.proxy.maxConnections, stated, fileLimit);
    return { bindAddress: options.bind, maxConnections, sockets: folder.sockets, user: worker.user };
  };
  const telemetry = new ProxyTelemetry(clock);
  const report = (event: ProxyEvent): void => {
    telemetry.count(event);
    output.news(eventNews(event));
  };
  const rosters = new RosterWriter(folder, report);
  const config = new ConfigStore(folder.configFile, options.haproxy, report);
  let model: ProxyModel | undefined;
  const controller = new Controller(pool, placeOf(pool, first.data), saved.roster, () => clock.now(), {
    onModel: (next) => {
      model = next;
      converger.want(next);
    },
    onRoster: (roster) => rosters.save(roster),
    onStatus: (status, previous) => {
      for (const news of transitionNews(previous, status)) output.news(news);
      output.status(status);
    },
  });
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
    },
  });
  const keeper = new Keeper(
    { binary: options.haproxy, configFile: folder.configFile, logFile: folder.logFile, sockets: folder.sockets },
    () => ({ address: options.bind, port: controller.pool.spec.port }),
    clock,
    report,
  );
  if (saved.setAside !== null) output.news(warning('StateSetAside', saved.setAside, 'it could not be read; starting without it'));
  if (worker.reason !== null) output.news(warning('WorkerUser', folder.path, worker.reason));
  for (const news of issueNews(options.file, 'PoolWarning', first.warnings)) output.news(news);
  // Before HAProxy is touched: a port that is taken must not leave one behind that nobody looks after.
  const http = options.once ? null : await openHttp(options.httpPort, telemetry, output);
  controller.decide();
  try {
    await keeper.begin(async () => {
      if (model !== undefined) await config.writeForStart(model);
    }, signal);
  } catch (thrown) {
    await http?.close(); // else the program would live on for it, and serve nobody
    throw thrown;
  }
  return { firstText: first.text, folder, controller, converger, keeper, rosters, http, placeOf };
}

function warning(reason: RunNewsReason, subject: string, message: string): News {
  return { severity: 'Warning', reason, subject, message };
}

async function openHttp(port: number | null, telemetry: ProxyTelemetry, output: Output): Promise<HttpServer | null> {
  if (port === null) return null;
  const http = await serveHttp('127.0.0.1', port, telemetry.routes());
  const subject = `http://127.0.0.1:${http.port}`;
  output.news({ severity: 'Normal', reason: 'Listening', subject, message: '/v1/observations /metrics /healthz /readyz' });
  return http;
}

/** Converges until the pool serves, and leaves HAProxy serving. */
async function serveOnce(box: Box, clock: Clock, shutdown: Shutdown): Promise<number> {
  const done = new AbortController();
  const converging = box.converger.run(done.signal);
  const limit = clock.monotonic() + ONCE_LIMIT_MS;
  while (!box.controller.settled && !shutdown.ending.aborted && clock.monotonic() < limit) await clock.sleep(ONCE_LOOK_MS, shutdown.ending);
  done.abort();
  await converging;
  await box.rosters.flush();
  return box.controller.isReady ? 0 : 1;
}

async function serve(box: Box, options: RunOptions, output: Output, clock: Clock, shutdown: Shutdown): Promise<number> {
  const work = new AbortController();
  const tasks = Promise.all([
    box.converger.run(work.signal),
    box.keeper.run(() => box.converger.wake(), work.signal),
    follow(box, options.file, output, clock, work.signal),
  ]);
  try {
    await Promise.race([shutdown.requested(), tasks]); // a task only ends by itself when it fails
  } finally {
    work.abort();
    await tasks;
    await box.rosters.flush();
  }
  await stop(box, options, output, clock, shutdown);
  await box.http?.close();
  return 0;
}

async function follow(box: Box, file: string, output: Output, clock: Clock, signal: AbortSignal): Promise<void> {
  const listener = {
    onText: (text: string): void => takeOver(box, file, text, output),
    onError: (error: Error): void =>
      output.news({
        severity: 'Warning',
        reason: 'PoolUnreadable',
        subject: file,
        message: `${error.message}; the last good pool goes on serving`,
      }),
  };
  await followFile(file, box.firstText, listener, clock, signal);
}

/** A changed file: in force at once, or refused as a whole with every reason. */
function takeOver(box: Box, file: string, text: string, output: Output): void {
  const reading = parsePoolFile(text);
  if (reading.kind === 'refused') {
    for (const news of issueNews(file, 'PoolRefused', reading.issues)) output.news(news);
    return;
  }
  const { pool } = reading.parsed;
  const { name } = box.controller.pool.metadata;
  if (pool.metadata.name !== name) {
    output.news({
      severity: 'Warning',
      reason: 'PoolRefused',
      subject: `${file} metadata.name`,
      message: `expected ${name}: another pool needs a cccam-operator of its own`,
    });
    return;
  }
  try {
    box.controller.accept(pool, box.placeOf(pool, reading.data));
  } catch (thrown) {
    output.news({
      severity: 'Warning',
      reason: 'PoolRefused',
      subject: file,
      message: thrown instanceof Error ? thrown.message : String(thrown),
    });
    return;
  }
  output.news({ severity: 'Normal', reason: 'PoolAccepted', subject: file, message: 'in force' });
  for (const news of issueNews(file, 'PoolWarning', reading.warnings)) output.news(news);
}

async function stop(box: Box, options: RunOptions, output: Output, clock: Clock, shutdown: Shutdown): Promise<void> {
  const { masterPid } = box.keeper;
  if (masterPid === null) return;
  const graceMs = options.graceMs ?? durationMs(box.controller.pool.spec.drain.deadline);
  const sessions = box.controller.status?.sessions ?? 0;
  const message = `no new sessions; ${sessions} may live on for ${Math.round(graceMs / 1_000)} s. A second signal ends them at once.`;
  output.news({ severity: 'Normal', reason: 'Stopping', subject: box.controller.pool.metadata.name, message });
  await stopHaproxy(masterPid, graceMs, clock, shutdown.hurrying);
}
