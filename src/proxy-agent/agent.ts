import { access, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigStore } from '../haproxy/config-store.ts';
import { Converger } from '../haproxy/converger.ts';
import type { ProxyEvent } from '../haproxy/event.ts';
import { KubeClient } from '../kube/client.ts';
import { inCluster } from '../kube/cluster.ts';
import { TokenBucket } from '../kube/token-bucket.ts';
import { Transport } from '../kube/transport.ts';
import { ProxyTelemetry } from '../proxy/telemetry.ts';
import { type Clock, systemClock } from '../runtime/clock.ts';
import { type Route, sendText, serveHttp } from '../runtime/http-server.ts';
import { createLogger, errorFields, type Logger } from '../runtime/logger.ts';
import { Shutdown } from '../runtime/shutdown.ts';
import { WishFollower, type WishListener } from './wish-follower.ts';

/** Options of `cccam-operator proxy-agent`. */
export interface AgentOptions {
  readonly configMap: string;
  /** Folder that HAProxy and the agent share. */
  readonly runDir: string;
  /** Address that clients connect to. */
  readonly bind: string;
  readonly http: { readonly host: string; readonly port: number };
  /** Folder with the mounted copy of the ConfigMap, or null. */
  readonly mounted: string | null;
  /** Checks configurations before they count; null where there is no binary beside the agent. */
  readonly haproxy: string | null;
  /** Folder with the token of the service account. */
  readonly serviceAccount: string;
  readonly logLevel: string;
}

/** Calls per second of an agent: it needs one watch and now and then a list. */
const CALLS = { perSecond: 5, burst: 10 } as const;

/**
 * Makes the HAProxy beside it what the pool's ConfigMap asks for, and tells what it observes, until SIGTERM.
 *
 * @returns the exit code
 * @throws CccamError for everything that keeps it from starting
 */
export async function proxyAgent(options: AgentOptions, clock: Clock = systemClock): Promise<number> {
  const log = createLogger(options.logLevel, { process: 'proxy-agent', configMap: options.configMap });
  const shutdown = new Shutdown();
  const signal = shutdown.ending;
  await mkdir(options.runDir, { recursive: true });
  const cluster = await inCluster(process.env, options.serviceAccount, clock);
  const transport = new Transport({
    cluster,
    bucket: new TokenBucket(clock, CALLS.perSecond, CALLS.burst),
    userAgent: 'cccam-operator/proxy-agent',
  });
  const sockets = {
    runtime: join(options.runDir, 'runtime.sock'),
    master: join(options.runDir, 'master.sock'),
    peers: join(options.runDir, 'peers.sock'),
  };
  const configFile = join(options.runDir, 'haproxy.cfg');
  const telemetry = new ProxyTelemetry(clock);
  const report = (event: ProxyEvent): void => {
    telemetry.count(event);
    logEvent(log, event);
  };
  const config = new ConfigStore(configFile, options.haproxy, report);
  const converger = new Converger({ sockets, config, clock, report, onObservation: (observation) => telemetry.update(observation) });
  const start = new ConfigStart(config, configFile, log);
  const follower = new WishFollower(
    {
      client: new KubeClient(transport),
      namespace: cluster.namespace ?? 'default',
      configMap: options.configMap,
      mounted: options.mounted,
    },
    { bindAddress: options.bind, sockets },
    clock,
    Math.random,
    wishListener(start, converger, log),
  );
  const routes = new Map<string, Route>([
    ...telemetry.routes(),
    [
      '/startz',
      (_request, response) =>
        sendText(response, start.done ? 200 : 503, start.done ? 'ok\n' : 'nothing is known yet of what HAProxy should be\n'),
    ],
  ]);
  await start.find();
  const http = await serveHttp(options.http.host, options.http.port, routes);
  log.info({ port: http.port }, 'listening');
  await Promise.all([follower.run(signal), converger.run(signal)]);
  await http.close();
  transport.close();
  shutdown.dispose();
  return 0;
}

function wishListener(start: ConfigStart, converger: Converger, log: Logger): WishListener {
  return {
    onWish: (model, name) => {
      log.debug({ wish: name, servers: model.servers.length }, 'a new wish');
      start.prepare(model);
      converger.want(model, name);
    },
    onError: (thrown) => log.warn(errorFields(thrown), 'the ConfigMap could not be read; the last good one stands'),
    onReport: (said) => {
      if (said.kind === 'failed') log.warn({ ...errorFields(said.error), retryInMs: Math.round(said.retryInMs) }, 'the watch failed');
    },
  };
}

/** The file that HAProxy begins with. It is written once; from then on it follows what runs. */
class ConfigStart {
  readonly #config: ConfigStore;
  readonly #path: string;
  readonly #log: Logger;
  #begun = false;
  done = false;

  constructor(config: ConfigStore, path: string, log: Logger) {
    this.#config = config;
    this.#path = path;
    this.#log = log;
  }

  /** Looks for a file that an earlier agent of this pod has left: HAProxy runs with it, and it is not overwritten blindly. */
  async find(): Promise<void> {
    this.done = await access(this.#path).then(
      () => true,
      () => false,
    );
    this.#begun = this.done;
  }

  /** Writes the file, the first time that it is known what should stand there. */
  prepare(model: Parameters<ConfigStore['writeForStart']>[0]): void {
    if (this.#begun) return;
    this.#begun = true;
    this.#config.writeForStart(model).then(
      () => {
        this.done = true;
      },
      (thrown: unknown) => {
        this.#begun = false;
        this.#log.error(errorFields(thrown), 'the configuration could not be written');
      },
    );
  }
}

function logEvent(log: Logger, event: ProxyEvent): void {
  const fields = { reason: event.reason, ...(event.server === null ? {} : { server: event.server }) };
  if (event.severity === 'Warning') log.warn(fields, event.message);
  else log.info(fields, event.message);
}
