import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KubeClient } from '../../src/kube/client.ts';
import { Reflector } from '../../src/kube/reflector.ts';
import type { KubeObject, ObjectRef, ResourceType } from '../../src/kube/resource.ts';
import { Store } from '../../src/kube/store.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { SimulatedServer } from '../../src/simulate/server.ts';
import { until } from '../support/until.ts';
import type { Access } from './control-plane.ts';
import { agentOrders, askToDrain, bindingTo, type PodObject, type PodSpec, project, writeToken } from './pod-object.ts';
import { ended, type RunningProxy, startAgent, startHaproxy } from './proxy-processes.ts';

const POD: ResourceType = { apiVersion: 'v1', kind: 'Pod', plural: 'pods' };
const MANAGER = 'test-kubelet';
const NODE = 'lab';

/** What runs for a pod, in place of containers. */
export interface RunningPod {
  readonly name: string;
  readonly uid: string;
  readonly address: string;
  /** Of a backend. */
  readonly server?: SimulatedServer;
  /** Of a proxy. */
  readonly proxy?: RunningProxy;
  containersReady: boolean;
}

/** Addresses given away so far, by whichever kubelet of this process. */
let addresses = 0;

/**
 * Plays the kubelet of one namespace: gives the pods that the controller manager makes an address on 127/8, runs a simulated server or
 * the real HAProxy with the real agent there, reports what a kubelet reports, and ends what is deleted.
 */
export class TestKubelet {
  readonly pods = new Map<string, RunningPod>();
  /** Names of pods, or parts of them, whose containers never become ready. */
  readonly unready = new Set<string>();
  /** Whether pods of backends that are deleted live on until their sessions are gone, as their preStop makes them. */
  waitForSessions = true;
  /** Whether pods are started at all; for tests that are only about objects. */
  idle = false;
  readonly #client: KubeClient;
  readonly #access: Access;
  readonly #namespace: string;
  readonly #end = new AbortController();
  readonly #store: Store<PodObject>;
  #running: Promise<void> | undefined;
  readonly #busy = new Map<string, Promise<void>>();
  readonly errors: unknown[] = [];

  constructor(client: KubeClient, access: Access, namespace: string) {
    this.#client = client;
    this.#access = access;
    this.#namespace = namespace;
    this.#store = new Store<PodObject>(
      project,
      () => '',
      ({ before, after }) => this.#changed(before, after),
    );
  }

  start(): void {
    const reflector = new Reflector<PodObject>({
      client: this.#client,
      type: POD,
      namespace: this.#namespace,
      selectors: {},
      store: this.#store,
      project,
      clock: systemClock,
      random: Math.random,
      report: () => undefined,
    });
    this.#running = reflector.run(this.#end.signal);
  }

  /** Pods of a backend or of the proxies that run, by a part of their name. */
  named(part: string): RunningPod[] {
    return [...this.pods.values()].filter((pod) => pod.name.includes(part)).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Makes the containers of a pod ready or not. */
  async setReady(pod: RunningPod, ready: boolean): Promise<void> {
    pod.containersReady = ready;
    const known = this.#store.get(this.#namespace, pod.name);
    if (known !== null) await this.#report(known.object, pod);
  }

  /** Starts the agent of a proxy again. @param skewMs how wrong the clock of its node is */
  async startAgent(pod: RunningPod, skewMs = 0): Promise<void> {
    if (pod.proxy === undefined) return;
    pod.proxy.agent = startAgent(
      { apiPort: this.#access.port, name: pod.name, address: pod.address, folder: pod.proxy.folder },
      {
        ...agentOrders(this.#store.get(this.#namespace, pod.name)?.object),
        skewMs,
      },
    );
  }

  /** Brings the mounted copy of a proxy's ConfigMap up to date, as a kubelet does now and then. */
  async copyMounted(pod: RunningPod): Promise<void> {
    const name = agentOrders(this.#store.get(this.#namespace, pod.name)?.object).configMap;
    const ref = { type: { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps' }, namespace: this.#namespace, name };
    const data = (await this.#client.get(ref, this.#end.signal))?.['data'] as Record<string, string> | undefined;
    const folder = join(pod.proxy?.folder ?? '', 'mounted');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'proxy.json'), data?.['proxy.json'] ?? '');
  }

  /** Ends a proxy's processes at once and starts them again in an empty folder, as when its containers are made again. */
  async restartProxy(pod: RunningPod): Promise<void> {
    if (pod.proxy === undefined) return;
    for (const process of [pod.proxy.haproxy, pod.proxy.agent]) await ended(process);
    await rm(join(pod.proxy.folder, 'run'), { recursive: true, force: true });
    await mkdir(join(pod.proxy.folder, 'run'));
    pod.proxy.haproxy = null;
    await this.startAgent(pod);
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await this.#running;
    await Promise.allSettled(this.#busy.values());
    await Promise.all([...this.pods.values()].map((pod) => this.#endContainers(pod, 'SIGKILL')));
    this.pods.clear();
  }

  #changed(before: PodObject | null, after: PodObject | null): void {
    const uid = after?.uid ?? before?.uid ?? '';
    // One thing after the other for each pod, as a kubelet does.
    const done = (this.#busy.get(uid) ?? Promise.resolve())
      .then(() => this.#sync(uid, after))
      .catch((thrown: unknown) => {
        if (!this.#end.signal.aborted) this.errors.push(thrown);
      });
    this.#busy.set(uid, done);
  }

  async #sync(uid: string, pod: PodObject | null): Promise<void> {
    const running = this.pods.get(uid);
    if (this.#end.signal.aborted || this.idle) return;
    if (pod === null) {
      this.pods.delete(uid);
      if (running !== undefined) await this.#endContainers(running, 'SIGKILL');
      return;
    }
    if (pod.object.metadata.deletionTimestamp !== undefined) return this.#terminate(pod, running);
    if (running === undefined) await this.#begin(pod);
    else await this.#report(pod.object, running);
  }

  async #begin(pod: PodObject): Promise<void> {
    const ref = this.#ref(pod.name);
    const spec = pod.object['spec'] as PodSpec;
    if (spec.nodeName === undefined) {
      await this.#client.transport.request({
        method: 'POST',
        path: `/api/v1/namespaces/${this.#namespace}/pods/${pod.name}/binding`,
        body: bindingTo(NODE, pod.name),
        signal: this.#end.signal,
      });
    }
    const address = `127.${60 + Number(process.env['VITEST_POOL_ID'] ?? 0)}.${Math.floor(addresses / 250)}.${1 + (addresses % 250)}`;
    addresses += 1;
    const running =
      pod.object.metadata.labels?.['cccam.dev/component'] === 'proxy' ? await this.#proxy(pod, address) : await this.#server(pod, address);
    this.pods.set(pod.uid, running);
    await this.#report(pod.object, running);
    if (running.proxy !== undefined) void this.#watchProxy(running, ref);
  }

  async #server(pod: PodObject, host: string): Promise<RunningPod> {
    const port = Number(pod.object.metadata.annotations?.['cccam.dev/port'] ?? 12_000);
    const server = new SimulatedServer({ host, port, label: pod.name.slice(-20) });
    await server.listen();
    return {
      name: pod.name,
      uid: pod.uid,
      address: host,
      server,
      containersReady: ![...this.unready].some((part) => pod.name.includes(part)),
    };
  }

  async #proxy(pod: PodObject, address: string): Promise<RunningPod> {
    const folder = await mkdtemp(join(tmpdir(), 'ccp-pod-'));
    await mkdir(join(folder, 'run'));
    await mkdir(join(folder, 'token'));
    await writeToken(pod, join(folder, 'token'), { client: this.#client, access: this.#access, signal: this.#end.signal });
    const agent = startAgent({ apiPort: this.#access.port, name: pod.name, address, folder }, agentOrders(pod.object));
    return { name: pod.name, uid: pod.uid, address, proxy: { folder, agent, haproxy: null }, containersReady: false };
  }

  /** Starts HAProxy when its agent has written what it begins with, and reports when the agent is ready. */
  async #watchProxy(pod: RunningPod, ref: ObjectRef): Promise<void> {
    const { proxy } = pod;
    if (proxy === undefined) return;
    const answers = async (path: string): Promise<boolean> =>
      (await fetch(`http://${pod.address}:9321${path}`, { signal: AbortSignal.timeout(1_000) }).catch(() => null))?.ok === true;
    while (!this.#end.signal.aborted && this.pods.has(pod.uid)) {
      if (proxy.haproxy === null && (await answers('/startz'))) proxy.haproxy = startHaproxy(proxy.folder);
      const ready = proxy.haproxy !== null && (await answers('/readyz'));
      if (ready !== pod.containersReady) {
        await this.setReady(pod, ready).catch((thrown: unknown) => this.errors.push([ref.name, thrown]));
      }
      await systemClock.sleep(ready ? 500 : 50, this.#end.signal);
    }
  }

  async #report(object: KubeObject, pod: RunningPod): Promise<void> {
    const known = this.#store.get(this.#namespace, pod.name)?.object ?? object;
    const status = (known['status'] ?? {}) as { conditions?: { type: string; status: string }[]; podIP?: string };
    const of = (type: string): string | undefined => status.conditions?.find((condition) => condition.type === type)?.status;
    const gates = (known['spec'] as PodSpec).readinessGates ?? [];
    const ready = pod.containersReady && gates.every((gate) => of(gate.conditionType) === 'True');
    const wanted = { ContainersReady: pod.containersReady, Ready: ready, PodScheduled: true, Initialized: true };
    if (status.podIP === pod.address && Object.entries(wanted).every(([type, value]) => of(type) === (value ? 'True' : 'False'))) return;
    const time = new Date().toISOString();
    const conditions = Object.entries(wanted).map(([type, value]) => ({
      type,
      status: value ? 'True' : 'False',
      lastTransitionTime: time,
    }));
    const body = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: pod.name, uid: pod.uid },
      status: { phase: 'Running', podIP: pod.address, podIPs: [{ ip: pod.address }], conditions },
    };
    const options = { manager: MANAGER, force: true, subresource: 'status' } as const;
    await this.#client.apply(this.#ref(pod.name), body, options, this.#end.signal).catch((thrown: { status?: number }) => {
      if (thrown.status !== 404 && thrown.status !== 409) throw thrown;
    });
  }

  async #terminate(pod: PodObject, running: RunningPod | undefined): Promise<void> {
    const graceS = (pod.object['spec'] as PodSpec).terminationGracePeriodSeconds ?? 30;
    const over = performance.now() + graceS * 1_000;
    if (running !== undefined && !this.#terminating.has(pod.uid)) {
      this.#terminating.add(pod.uid);
      void this.#finish(pod, running, over).catch((thrown: unknown) => {
        if (!this.#end.signal.aborted) this.errors.push(thrown);
      });
    } else if (running === undefined) {
      await this.#remove(pod);
    }
  }

  readonly #terminating = new Set<string>();

  async #finish(pod: PodObject, running: RunningPod, over: number): Promise<void> {
    const { server, proxy } = running;
    if (server !== undefined && this.waitForSessions) {
      while (server.sessions > 0 && performance.now() < over && !this.#end.signal.aborted) await systemClock.sleep(20, this.#end.signal);
    }
    if (proxy !== undefined) await askToDrain(pod, running.address, over, this.#end.signal);
    proxy?.haproxy?.kill('SIGUSR1');
    if (proxy?.haproxy !== null && proxy?.haproxy !== undefined) {
      const { haproxy } = proxy;
      await until('HAProxy has ended', () => haproxy.exitCode !== null || this.#end.signal.aborted || performance.now() > over, 600_000);
    }
    if (this.#end.signal.aborted) return;
    await this.#endContainers(running, 'SIGTERM');
    await this.#remove(pod);
  }

  async #remove(pod: PodObject): Promise<void> {
    const body = { kind: 'DeleteOptions', apiVersion: 'v1', gracePeriodSeconds: 0, preconditions: { uid: pod.uid } };
    await this.#client.transport
      .request({ method: 'DELETE', path: `/api/v1/namespaces/${this.#namespace}/pods/${pod.name}`, body, signal: this.#end.signal })
      .catch((thrown: { status?: number }) => {
        if (thrown.status !== 404) throw thrown;
      });
  }

  async #endContainers(pod: RunningPod, signal: NodeJS.Signals): Promise<void> {
    await pod.server?.kill();
    if (pod.proxy === undefined) return;
    const { agent, haproxy, folder } = pod.proxy;
    for (const process of [haproxy, agent]) {
      if (process === null || process.exitCode !== null || process.signalCode !== null) continue;
      const ended = new Promise<void>((resolve) => process.once('exit', () => resolve()));
      process.kill(signal);
      await Promise.race([ended, systemClock.sleep(5_000)]);
      if (process.exitCode === null && process.signalCode === null) process.kill('SIGKILL');
    }
    await rm(folder, { recursive: true, force: true });
  }

  #ref(name: string): ObjectRef {
    return { type: POD, namespace: this.#namespace, name };
  }
}
