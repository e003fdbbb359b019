import { collectionPath, type KubeObject, type ResourceType } from '../../src/kube/resource.ts';
import { watchStream } from '../../src/kube/watch-stream.ts';
import { lines } from '../../src/runtime/lines.ts';
import type { TestCluster } from '../api-server/test-cluster.ts';
import type { RunningPod } from '../api-server/test-kubelet.ts';
import { until } from '../support/until.ts';

/** Tells when something is first seen to be so on a watch of our own. */
export class Sight {
  readonly #seen = new Map<string, number>();
  readonly #cluster: TestCluster;

  constructor(cluster: TestCluster) {
    this.#cluster = cluster;
  }

  /** @param facts what an object says: the name of a pod and what it is, with a space in between */
  async run(type: ResourceType, facts: (object: KubeObject) => string[], signal: AbortSignal): Promise<void> {
    const { admin, namespace } = this.#cluster;
    const { resourceVersion } = await admin.list({ type: type, namespace: namespace, selectors: {} }, () => null, signal);
    const request = { path: collectionPath(type, namespace), selectors: {}, resourceVersion, timeoutSeconds: 3_600, idleMs: 3_600_000 };
    for await (const event of watchStream(admin.transport, request, signal)) {
      if (event.kind === 'bookmark') continue;
      const now = performance.now();
      for (const key of facts(event.object)) if (!this.#seen.has(key)) this.#seen.set(key, now);
    }
  }

  /** Waits until it is seen. @returns when, on the monotonic clock */
  async of(pod: string, what: string): Promise<number> {
    const key = `${pod} ${what}`;
    await until(`${key} is seen`, () => this.#seen.has(key), 30_000);
    return this.#seen.get(key) ?? 0;
  }

  forget(pod: string): void {
    for (const key of this.#seen.keys()) if (key.startsWith(`${pod} `)) this.#seen.delete(key);
  }
}

/** Tells when the agents have read back that a server takes nobody new: asking twenty HAProxies all the time would measure itself. */
export class Hearing {
  readonly #drained = new Map<string, number>();

  async run(proxy: RunningPod, signal: AbortSignal): Promise<void> {
    const response = await fetch(`http://${proxy.address}:9321/v1/observations`, { signal });
    if (response.body === null) throw new Error('the agent says nothing');
    for await (const text of lines(response.body, 1_048_576)) {
      const { kind, name = '', admin } = JSON.parse(text) as { kind: string; name?: string; admin?: string };
      const pod = name.slice(0, name.lastIndexOf('-'));
      if (kind === 'server' && admin === 'drain' && !this.#drained.has(pod)) this.#drained.set(pod, performance.now());
    }
  }

  async of(pod: string): Promise<number> {
    await until(`${pod} is drained`, () => this.#drained.has(pod), 30_000);
    return this.#drained.get(pod) ?? 0;
  }
}
