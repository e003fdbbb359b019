import { mkdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { ConfigStore } from '../haproxy/config-store.ts';
import { Converger } from '../haproxy/converger.ts';
import type { ProxyEvent } from '../haproxy/event.ts';
import { hardFileLimit } from '../haproxy/file-limit.ts';
import { type ProxyObservation, unreadable } from '../haproxy/observation.ts';
import { inCluster } from '../kube/api-server-access.ts';
import { KubeClient } from '../kube/client.ts';
import { ServerClock } from '../kube/server-clock.ts';
import { TokenBucket } from '../kube/token-bucket.ts';
import { Transport } from '../kube/transport.ts';
import { ProxyTelemetry } from '../proxy/telemetry.ts';
import { type Clock, systemClock } from '../runtime/clock.ts';
import { CccamError, messageOf } from '../runtime/errors.ts';
import { type Route, sendText, serveHttp } from '../runtime/http-server.ts';
import { createLogger, errorFields, type Logger } from '../runtime/logger.ts';
import { Shutdown } from '../runtime/shutdown.ts';
import { VERSION } from '../runtime/version.ts';
import { PRE_STOP_PATH } from '../wire/pre-stop.ts';
import { BackendLinks } from './backend-links.ts';
import { ConfigFollower, type ConfigSource } from './config-follower.ts';
import { ConfigStart } from './config-start.ts';
import { effectiveConfig, withoutTimes } from './effective-config.ts';
import type { AgentConfig, ProxyRuntime } from './proxy-config.ts';
import { SoftStop } from './soft-stop.ts';

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
  /** Addresses of this node, from which its kubelet calls. */
  readonly node: ReadonlySet<string>;
  /** Folder with the token of the service account. */
  readonly serviceAccount: string;
  readonly logLevel: string;
}

/** Calls per second of an agent: it needs one watch and now and then a list. */
const CALLS = { perSecond: 5, burst: 10 } as const;

/**
 * Makes the HAProxy beside it what the pool's ConfigMap and the servers' own agents ask for, and tells what it observes, until SIGTERM.
 *
 * @returns the exit code
 * @throws CccamError for everything that keeps it from starting
 */
export async function proxyAgent(options: AgentOptions, base: Clock = systemClock): Promise<number> {
  // Times in the ConfigMap are the API server's; until that has said its own, none of them has come.
  const clock = new ServerClock(base, () => agent.apply());
  const log = createLogger(options.logLevel, { process: 'proxy-agent', configMap: options.configMap });
  const shutdown = new Shutdown();
  await mkdir(options.runDir, { recursive: true });
  const access = await inCluster(process.env, options.serviceAccount, clock);
  const transport = new Transport({
    access,
    clock,
    bucket: new TokenBucket(clock, CALLS.perSecond, CALLS.burst),
    userAgent: `cccam-operator/${VERSION} (proxy-agent)`,
    onDate: (date, tookMs) => clock.hear(date, tookMs),
  });
  const agent = new ProxyAgent(options, await hardFileLimit(), clock, log);
  await agent.findStart();
  const http = await serveHttp({ ...options.http, option: '--http' }, agent.routes());
  log.info({ port: http.port }, 'listening');
  const source = {
    client: new KubeClient(transport),
    namespace: access.namespace ?? 'default',
    configMap: options.configMap,
    mounted: options.mounted,
  };
  await agent.run(source, shutdown.stopping);
  await http.close();
  transport.close();
  shutdown.dispose();
  return 0;
}

/** Every part of the agent, and how they are joined. */
class ProxyAgent {
  readonly #runtime: ProxyRuntime;
  readonly #clock: ServerClock;
  readonly #log: Logger;
  readonly #telemetry: ProxyTelemetry;
  readonly #start: ConfigStart;
  readonly #converger: Converger;
  readonly #links: BackendLinks;
  readonly #softStop: SoftStop;
  #config: AgentConfig | null = null;

  constructor(options: AgentOptions, fileLimit: number, clock: ServerClock, log: Logger) {
    this.#clock = clock;
    this.#log = log;
    const path = (name: string): string => join(options.runDir, name);
    const sockets = { runtime: path('runtime.sock'), master: path('master.sock'), peers: path('peers.sock') };
    this.#runtime = { proxy: hostname(), bindAddress: options.bind, sockets, fileLimit };
    this.#telemetry = new ProxyTelemetry(clock);
    const report = (event: ProxyEvent): void => {
      this.#telemetry.count(event);
      logEvent(log, event);
    };
    const config = new ConfigStore(path('haproxy.cfg'), options.haproxy, report);
    this.#start = new ConfigStart(config, path('haproxy.cfg'), log);
    this.#converger = new Converger({
      sockets,
      config,
      clock,
      report,
      onObservation: (observation) => this.#observed(observation),
      onClosed: (reason, sessions) => this.#telemetry.countClosed(reason, sessions),
    });
    this.#links = new BackendLinks({
      proxy: hostname(),
      clock,
      random: Math.random,
      onChange: () => this.apply(),
      onTrouble: (server, error) => logLost(log, server, error),
    });
    this.#softStop = new SoftStop({
      node: options.node,
      clock,
      log,
      structure: () => this.#config?.model.structure ?? null,
      onChange: () => this.apply(),
    });
  }

  /** Looks for the file that an earlier agent of this pod has left. */
  async findStart(): Promise<void> {
    await this.#start.find();
  }

  async run(source: ConfigSource, signal: AbortSignal): Promise<void> {
    const follower = new ConfigFollower({
      source,
      runtime: this.#runtime,
      clock: this.#clock,
      random: Math.random,
      onConfig: (config) => this.#take(config),
      onError: (thrown) => this.#refuse(thrown),
      onReport: (said) => {
        if (said.kind !== 'failed') return;
        this.#log.warn({ ...errorFields(said.error), retryInMs: Math.round(said.retryInMs) }, 'the watch failed');
      },
    });
    await Promise.all([follower.run(signal), this.#converger.run(signal)]);
    await this.#links.stop();
  }

  routes(): ReadonlyMap<string, Route> {
    return new Map<string, Route>([
      ...this.#telemetry.routes(),
      [
        '/startz',
        (_request, response) => sendText(response, this.#start.done ? 200 : 503, this.#start.done ? 'ok\n' : `${this.#start.why}\n`),
      ],
      [PRE_STOP_PATH, async (request, response) => await this.#softStop.answer(request, response)],
    ]);
  }

  #take(config: AgentConfig): void {
    this.#log.debug({ configRevision: config.revision, servers: config.model.servers.length }, 'new proxy config');
    this.#config = config;
    this.#start.prepare(config.model);
    this.#links.follow(config.agents);
    this.#softStop.deadlineAt = config.ends.get(hostname()) ?? null;
    this.apply();
  }

  /** Has HAProxy follow what is asked for now. */
  apply(): void {
    if (this.#config === null) return;
    const model = this.#clock.isKnown ? this.#config.model : withoutTimes(this.#config.model);
    this.#converger.want(effectiveConfig(model, this.#links.states, this.#softStop.end), this.#config.revision);
  }

  #refuse(thrown: unknown): void {
    this.#log.warn(errorFields(thrown), 'the ConfigMap is invalid; the last valid config stays active');
    if (this.#config !== null) return;
    // Nothing runs yet, and nothing will: subscribers should know why.
    this.#start.why = messageOf(thrown);
    const code = thrown instanceof CccamError ? thrown.code : 'CCP_PROXY_CONFIG_UNREADABLE';
    this.#telemetry.update(unreadable(code, null));
  }

  #observed(observation: ProxyObservation): void {
    this.#telemetry.update(observation);
    this.#links.report(observation);
    this.#softStop.observe(observation);
  }
}

/** Servers come and go, so that an agent cannot be reached is no warning; that it cannot be understood is. */
function logLost(log: Logger, server: string, error: CccamError): void {
  const fields = { server, ...errorFields(error) };
  if (error.code === 'CCP_STREAM_LOST') log.info(fields, "the link to a server's agent was lost");
  else log.warn(fields, "the link to a server's agent cannot be used");
}

function logEvent(log: Logger, event: ProxyEvent): void {
  const fields = { reason: event.reason, ...(event.server === null ? {} : { server: event.server }) };
  if (event.severity === 'Warning') log.warn(fields, event.message);
  else log.info(fields, event.message);
}
