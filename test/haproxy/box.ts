import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chmod, mkdtemp, open, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import type { PoolStatus, ServerStatus } from '../../src/api/v1alpha1/index.ts';
import { readProcesses } from '../../src/haproxy/readback.ts';
import { runCommands } from '../../src/haproxy/runtime-socket.ts';
import { isAlive } from '../../src/haproxy/supervisor.ts';
import { systemCode } from '../../src/runtime/errors.ts';
import type { SimulatedClient } from '../../src/simulate/client.ts';
import { SimulatedServer } from '../../src/simulate/server.ts';
import { poolObject } from '../fakes/pools.ts';
import type { HaproxyBinary } from '../support/binaries.ts';
import { freePort } from '../support/ports.ts';
import { until } from '../support/until.ts';
import { BoxClients, type ClientOptions } from './box-clients.ts';
import { PROGRAM, runArguments, type StartOptions } from './run-arguments.ts';

/** A line of `run --output json`. */
export interface NewsLine {
  readonly kind: 'event';
  readonly reason: string;
  readonly subject: string;
  readonly message: string;
  /** When the test saw it. */
  readonly at: number;
}

let boxes = 0;

/** Servers, clients and the real program on a real HAProxy, in addresses and a folder of its own. */
export class TestBox {
  readonly binary: HaproxyBinary;
  readonly folder: string;
  readonly port: number;
  /** Free as well, for a pool that moves. */
  readonly otherPort: number;
  readonly servers: SimulatedServer[] = [];
  readonly news: NewsLine[] = [];
  status: PoolStatus | null = null;
  #program: ChildProcess | undefined;
  #spec: Record<string, unknown> = {};
  readonly #clients: BoxClients;
  readonly #number: number;

  private constructor(binary: HaproxyBinary, folder: string, [port, otherPort]: readonly [number, number]) {
    this.binary = binary;
    this.folder = folder;
    this.port = port;
    this.otherPort = otherPort;
    this.#clients = new BoxClients(port);
    boxes += 1;
    this.#number = boxes;
  }

  /** Makes a box with so many normal servers; nothing runs yet but they. */
  static async create(binary: HaproxyBinary, servers: number, port?: number): Promise<TestBox> {
    const folder = await mkdtemp('/tmp/ccp-');
    await chmod(folder, 0o755); // HAProxy's workers must get through to their sockets
    const box = new TestBox(binary, folder, [port ?? (await freePort()), await freePort()]);
    for (let index = 0; index < servers; index += 1) await box.addServer();
    return box;
  }

  get poolFile(): string {
    return join(this.folder, 'pool.yaml');
  }

  get stateDir(): string {
    return join(this.folder, 'state');
  }

  get sockets(): { runtime: string; master: string } {
    return { runtime: join(this.stateDir, 'runtime.sock'), master: join(this.stateDir, 'master.sock') };
  }

  /** Sessions on all servers. */
  get sessions(): number {
    return this.servers.reduce((sum, server) => sum + server.sessions, 0);
  }

  /** Another server, listening on an address of its own: 127.<worker>.<box>.<index>. */
  async addServer(): Promise<SimulatedServer> {
    const index = this.servers.length + 1;
    const host = `127.${10 + Number(process.env['VITEST_POOL_ID'] ?? 0)}.${this.#number}.${index}`;
    const server = new SimulatedServer({ host, port: 12_001, label: `s${index}` });
    await server.listen();
    this.servers.push(server);
    return server;
  }

  server(index: number): SimulatedServer {
    const server = this.servers[index - 1];
    if (server === undefined) throw new Error(`there is no server ${index}`);
    return server;
  }

  /** The backend entry of a server as a person would write it. */
  backend(index: number, more: Record<string, unknown> = {}): Record<string, unknown> {
    const server = this.server(index);
    return { name: server.label, external: { address: server.host }, port: server.port, ...more };
  }

  /** Name of a server in HAProxy and in the status. */
  nameOf(index: number): string {
    const server = this.server(index);
    return `${server.label}-${server.host}:${server.port}`;
  }

  /** The backends of these servers, or of all. */
  backends(...indexes: number[]): Record<string, unknown>[] {
    return (indexes.length === 0 ? this.servers.map((_, index) => index + 1) : indexes).map((index) => this.backend(index));
  }

  /** Saves the pool file as an editor does, by renaming a new one over it. */
  async save(spec: Record<string, unknown>): Promise<void> {
    this.#spec = { port: this.port, proxy: { maxConnections: 4_000 }, ...spec };
    await this.saveText(stringify(poolObject(this.#spec, 'test')));
  }

  async saveText(text: string): Promise<void> {
    const draft = `${this.poolFile}.draft`;
    await writeFile(draft, text);
    await rename(draft, this.poolFile);
  }

  /** Starts the program, and waits until the pool is ready, unless told not to. */
  async start(ready = true, options: StartOptions = {}): Promise<void> {
    const args = runArguments(this, options);
    const sink = options.stdout === undefined ? undefined : await open(options.stdout, 'w');
    const [command = process.execPath, ...before] = [...(options.through ?? []), process.execPath];
    const program = spawn(command, [...before, ...args], {
      stdio: ['ignore', sink?.fd ?? 'pipe', 'inherit'],
      env: { ...process.env, ...options.env },
    });
    await sink?.close();
    this.#program = program;
    this.status = null;
    if (program.stdout !== null) createInterface({ input: program.stdout }).on('line', (line) => this.#hear(line));
    if (!ready) return;
    const isReady = (): boolean => {
      if (program.exitCode !== null) throw new Error(`the program ended with ${program.exitCode}`);
      return this.condition('Ready') === 'True' && !this.#anyJoining();
    };
    await until('the pool is ready', isReady, 20_000, () => [this.status, this.news]);
  }

  /** Whether the program has ended, however. */
  get hasExited(): boolean {
    return this.#program !== undefined && (this.#program.exitCode !== null || this.#program.signalCode !== null);
  }

  /** Runs the program once, with `--once`. @returns what it wrote to standard output @throws Error with what it wrote to standard error */
  async runOnce(...more: string[]): Promise<string> {
    const args = [PROGRAM, 'run', '-f', this.poolFile, '--state-dir', this.stateDir, '--haproxy', this.binary.path, '--once', ...more];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    return stdout;
  }

  get programPid(): number {
    return this.#program?.pid ?? 0;
  }

  /** Address of the program's observations and metrics. */
  get http(): string {
    return this.news.findLast((line) => line.reason === 'Listening')?.subject ?? '';
  }

  /** Ends the program without a word; HAProxy goes on. */
  async killProgram(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** Asks the program to end well. */
  terminate(): void {
    this.#program?.kill('SIGTERM');
  }

  async exited(): Promise<number | null> {
    const program = this.#program;
    if (program === undefined || program.exitCode !== null) return program?.exitCode ?? null;
    return await new Promise((resolve) => program.once('exit', (code) => resolve(code)));
  }

  condition(type: string): string | undefined {
    return this.status?.conditions.find((condition) => condition.type === type)?.status;
  }

  serverStatus(index: number): ServerStatus | undefined {
    return this.status?.backends.flatMap((backend) => backend.servers).find((server) => server.name === this.nameOf(index));
  }

  /** Events with this reason, of this server if one is given. */
  events(reason: string, index?: number): NewsLine[] {
    return this.news.filter((line) => line.reason === reason && (index === undefined || line.subject === this.nameOf(index)));
  }

  /** Starts clients that hold sessions and come back; each has an address of its own. */
  clients(count: number, options: ClientOptions = {}): readonly SimulatedClient[] {
    return this.#clients.start(count, options);
  }

  /** Every client leaves. */
  async endClients(): Promise<void> {
    await this.#clients.end();
  }

  /** Starts clients and waits until each is served. */
  async heldSessions(count: number, options: { retryMs?: number; requestEveryMs?: number } = {}): Promise<readonly SimulatedClient[]> {
    const clients = this.clients(count, options);
    await until(
      `${count} sessions are held`,
      () => clients.every((client) => client.servedBy !== null),
      20_000,
      () => this.status,
    );
    return clients;
  }

  /** Connects once from a fresh address and says who serves. @returns null when nobody did in time */
  async whoServes(limitMs = 3_000, from?: number, retryMs?: number): Promise<string | null> {
    return await this.#clients.whoServes(limitMs, from, retryMs);
  }

  /** Sends commands to HAProxy behind the program's back. */
  async commands(...commands: string[]): Promise<string[]> {
    return await runCommands(this.sockets.runtime, commands);
  }

  async processes() {
    return await readProcesses(this.sockets);
  }

  /** Sessions that the program counts on a server now, over all workers; the status tells counts only beside a change of state. */
  async countedSessions(index: number): Promise<number> {
    const [line = ''] = await this.metric(`cccam_server_sessions{server="${this.nameOf(index)}"}`);
    return Number(line.split(' ').at(-1));
  }

  /** Lines of the metrics that begin so. */
  async metric(name: string): Promise<string[]> {
    const text = await (await fetch(`${this.http}/metrics`)).text();
    return text.split('\n').filter((line) => line.startsWith(name));
  }

  /** Ends everything that the box began, by its own id. */
  async dispose(): Promise<void> {
    await this.#clients.end();
    const master = await this.processes().catch(() => null);
    await this.#end('SIGKILL');
    if (master !== null) {
      for (const pid of [master.masterPid, master.currentPid, ...master.oldPids]) if (pid !== null) endNow(pid);
      await until('HAProxy has ended', () => !isAlive(master.masterPid));
    }
    await Promise.all(this.servers.map((server) => server.kill()));
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 }); // a process that was killed may still be writing
  }

  #anyJoining(): boolean {
    return (
      this.status?.backends.some((backend) => backend.servers.some((server) => server.state === 'Joining' || server.state === 'Unknown')) ??
      true
    );
  }

  #hear(line: string): void {
    const parsed = JSON.parse(line) as { kind: string; status: PoolStatus };
    if (parsed.kind === 'status') this.status = parsed.status;
    else this.news.push({ ...(parsed as unknown as NewsLine), at: performance.now() });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const program = this.#program;
    if (program === undefined || program.exitCode !== null || program.signalCode !== null) return;
    const gone = new Promise((resolve) => program.once('exit', resolve));
    program.kill(signal);
    await gone;
  }
}

/** Ends a process, which may end by itself in the same moment. */
function endNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (thrown) {
    if (systemCode(thrown) !== 'ESRCH') throw thrown;
  }
}
