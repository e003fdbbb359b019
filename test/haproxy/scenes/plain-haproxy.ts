import { type ChildProcess, spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { systemClock } from '../../../src/runtime/clock.ts';
import type { SimulatedServer } from '../../../src/simulate/server.ts';

/** What a service manager waits before it starts a program again. */
const RESTART_MS = 100;

/** HAProxy with a file as people write it by hand, kept running as systemd keeps it. */
export class PlainHaproxy {
  readonly #binary: string;
  readonly #file: string;
  readonly #port: number;
  /** Address that clients connect to. */
  bind = '127.0.0.1';
  #process: ChildProcess | null = null;
  #ended = false;

  constructor(binary: string, folder: string, port: number) {
    this.#binary = binary;
    this.#file = `${folder}/plain.cfg`;
    this.#port = port;
  }

  /** @param options of each server line, such as `maxconn 40` */
  async write(servers: readonly SimulatedServer[], options: (server: SimulatedServer) => string = () => ''): Promise<void> {
    const lines = servers.map((server) => `    server ${server.label} ${server.host}:${server.port} check ${options(server)}`.trimEnd());
    await this.writeText(`global
    maxconn 2000
defaults
    mode tcp
    timeout connect 5s
    timeout client 30m
    timeout server 30m
    option redispatch
    retries 3
frontend clients
    bind ${this.bind}:${this.#port}
    default_backend servers
backend servers
    balance leastconn
    option allbackups
${lines.join('\n')}
`);
  }

  async writeText(text: string): Promise<void> {
    await writeFile(this.#file, text);
  }

  /** Starts it, and again whenever it ends. */
  start(): void {
    if (this.#ended) return;
    const child = spawn(this.#binary, ['-W', '-f', this.#file], { stdio: ['ignore', 'ignore', 'ignore'] });
    this.#process = child;
    child.once('exit', () => {
      this.#process = null;
      systemClock.sleep(RESTART_MS).then(
        () => this.start(),
        () => undefined,
      );
    });
  }

  /** Waits until clients can connect. */
  async untilListening(): Promise<void> {
    while (!(await this.#isListening())) await systemClock.sleep(20);
  }

  reload(): void {
    this.#process?.kill('SIGUSR2');
  }

  /** Pid of its master. */
  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  end(): void {
    this.#ended = true;
    this.#process?.kill('SIGKILL');
  }

  async #isListening(): Promise<boolean> {
    const socket = connect(this.#port, this.bind);
    const open = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    return open;
  }
}
