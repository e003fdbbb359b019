import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { KubeClient } from '../kube/client.ts';
import { Reflector, type ReflectorReport } from '../kube/reflector.ts';
import type { KubeObject, ResourceType } from '../kube/resource.ts';
import { Store, type Stored } from '../kube/store.ts';
import type { Clock } from '../runtime/clock.ts';
import { systemCode } from '../runtime/errors.ts';
import { type AgentConfig, agentConfig, type ProxyRuntime } from './proxy-config.ts';

const CONFIG_MAP: ResourceType = { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps' };
const KEY = 'proxy.json';
/** How long the API server is waited for at the start before the mounted copy counts. */
const MOUNTED_AFTER_MS = 3_000;

interface StoredConfig extends Stored {
  readonly text: string | undefined;
}

export interface ConfigListener {
  /** HAProxy should be this from now on. */
  readonly onConfig: (config: AgentConfig) => void;
  readonly onError: (thrown: unknown) => void;
  readonly onReport: (report: ReflectorReport) => void;
}

export interface ConfigSource {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly configMap: string;
  /** Folder with a copy that the kubelet mounts, or null. */
  readonly mounted: string | null;
}

/**
 * Follows the one ConfigMap of a pool. What cannot be read and what is deleted changes nothing: the last valid one stays active. The mounted copy,
 * which the kubelet brings up to a minute late, only counts at a start without an API server.
 */
export class ConfigFollower {
  readonly #reflector: Reflector<StoredConfig>;
  readonly #source: ConfigSource;
  readonly #runtime: ProxyRuntime;
  readonly #clock: Clock;
  readonly #listener: ConfigListener;
  #taken: string | undefined;

  constructor(source: ConfigSource, runtime: ProxyRuntime, clock: Clock, random: () => number, listener: ConfigListener) {
    this.#source = source;
    this.#runtime = runtime;
    this.#clock = clock;
    this.#listener = listener;
    const store = new Store<StoredConfig>(
      project,
      () => '',
      ({ after }) => after !== null && this.#take(after.text),
    );
    this.#reflector = new Reflector<StoredConfig>({
      client: source.client,
      type: CONFIG_MAP,
      namespace: source.namespace,
      selectors: { fieldSelector: `metadata.name=${source.configMap}` },
      store,
      project,
      clock,
      random,
      report: (report) => listener.onReport(report),
    });
  }

  /** Follows until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#reflector.run(signal), this.#fallBack(signal)]);
  }

  async #fallBack(signal: AbortSignal): Promise<void> {
    const { mounted } = this.#source;
    if (mounted === null) return;
    await this.#clock.sleep(MOUNTED_AFTER_MS, signal);
    if (signal.aborted || this.#taken !== undefined || this.#reflector.synced) return;
    try {
      const text = await readFile(join(mounted, KEY), 'utf8');
      if (this.#taken === undefined) this.#take(text);
    } catch (thrown) {
      if (systemCode(thrown) !== 'ENOENT') this.#listener.onError(thrown);
    }
  }

  #take(text: string | undefined): void {
    if (text !== undefined && text === this.#taken) return;
    try {
      const config = agentConfig(text, this.#runtime);
      this.#taken = text;
      this.#listener.onConfig(config);
    } catch (thrown) {
      this.#listener.onError(thrown);
    }
  }
}

function project(object: KubeObject): StoredConfig {
  const { name, namespace = '', uid = '', resourceVersion = '' } = object.metadata;
  return { name, namespace, uid, resourceVersion, text: (object['data'] as Record<string, string> | undefined)?.[KEY] };
}
