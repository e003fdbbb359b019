import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { KubeClient } from '../kube/client.ts';
import { Reflector, type ReflectorReport } from '../kube/reflector.ts';
import type { KubeObject, ResourceType } from '../kube/resource.ts';
import { Store, type Stored } from '../kube/store.ts';
import type { Clock } from '../runtime/clock.ts';
import { systemCode } from '../runtime/errors.ts';
import { packedName, unpackFile, unpackText } from '../wire/packed-text.ts';
import { PROXY_CONFIG_KEY } from '../wire/proxy-config.ts';
import { type AgentConfig, agentConfig, type ProxyRuntime } from './proxy-config.ts';

const CONFIG_MAP: ResourceType = { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps' };
/** How long the API server is waited for at the start before the mounted copy counts. */
const MOUNTED_AFTER_MS = 3_000;

interface StoredConfig extends Stored {
  readonly text: string | undefined;
}

/** Where the config comes from. */
export interface ConfigSource {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly configMap: string;
  /** Folder with a copy that the kubelet mounts, or null. */
  readonly mounted: string | null;
}

/** What a follower works with. */
export interface ConfigFollowerOptions {
  readonly source: ConfigSource;
  readonly runtime: ProxyRuntime;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** HAProxy should be this from now on. */
  readonly onConfig: (config: AgentConfig) => void;
  /** A config cannot be read; the last valid one stays active. */
  readonly onError: (thrown: unknown) => void;
  readonly onReport: (report: ReflectorReport) => void;
}

/**
 * Follows the one ConfigMap of a pool. What cannot be read and what is deleted changes nothing: the last valid one stays active. The mounted copy,
 * which the kubelet brings up to a minute late, only counts at a start without an API server.
 */
export class ConfigFollower {
  readonly #reflector: Reflector<StoredConfig>;
  readonly #options: ConfigFollowerOptions;
  #taken: string | undefined;

  constructor(options: ConfigFollowerOptions) {
    this.#options = options;
    const { clock, onReport, random, source } = options;
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
      report: onReport,
    });
  }

  /** Follows until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#reflector.run(signal), this.#fallBack(signal)]);
  }

  async #fallBack(signal: AbortSignal): Promise<void> {
    const { mounted } = this.#options.source;
    if (mounted === null) return;
    await this.#options.clock.sleep(MOUNTED_AFTER_MS, signal);
    if (signal.aborted || this.#taken !== undefined || this.#reflector.synced) return;
    try {
      const text = await readMounted(mounted);
      if (this.#taken === undefined && text !== null) this.#take(text);
    } catch (thrown) {
      this.#options.onError(thrown);
    }
  }

  #take(text: string | undefined): void {
    if (text !== undefined && text === this.#taken) return;
    try {
      const config = agentConfig(text, this.#options.runtime);
      this.#taken = text;
      this.#options.onConfig(config);
    } catch (thrown) {
      this.#options.onError(thrown);
    }
  }
}

/** The mounted copy, in whichever form it is; null where there is none. */
async function readMounted(folder: string): Promise<string | undefined | null> {
  const read = async (name: string): Promise<Buffer | null> =>
    await readFile(join(folder, name)).catch((thrown: unknown) => {
      if (systemCode(thrown) === 'ENOENT') return null;
      throw thrown;
    });
  const plain = await read(PROXY_CONFIG_KEY);
  if (plain !== null) return plain.toString('utf8');
  const packed = await read(packedName(PROXY_CONFIG_KEY));
  return packed === null ? null : unpackFile(packed);
}

function project(object: KubeObject): StoredConfig {
  const { name, namespace = '', uid = '', resourceVersion = '' } = object.metadata;
  return { name, namespace, uid, resourceVersion, text: unpackText(object, PROXY_CONFIG_KEY) };
}
