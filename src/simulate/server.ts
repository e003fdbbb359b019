import { randomBytes } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { type Clock, systemClock } from '../runtime/clock.ts';
import { CccamError, messageOf, systemCode } from '../runtime/errors.ts';
import { hostPort } from '../runtime/host-port.ts';
import { answerOf, GREETING_BYTES, HELLO, KEEPALIVE, KEEPALIVE_EVERY_MS, SILENCE_LIMIT_MS } from './protocol.ts';

/**
 * How a simulated server behaves. `normal`: like a real one. `hung`: accepts and says nothing, to old clients neither; like a
 * stopped process. `banning`: old clients live, new ones are closed without a byte. `closing`: resets every new client. `slow`:
 * greets after `slowMs`. `leaking`: never closes its side when a client leaves.
 */
export const SERVER_MODES = ['normal', 'hung', 'banning', 'closing', 'slow', 'leaking'] as const;
/** How a simulated server behaves. */
export type ServerMode = (typeof SERVER_MODES)[number];

/**
 * How many sessions a server holds at once, connections without a login among them, and what happens to one more: closed at once,
 * left without a word, or greeted and closed after the login.
 */
export interface ServerLimit {
  readonly sessions: number;
  readonly full: 'close' | 'silent' | 'greet';
}

/** A rule that services publish: more than so many connections of one address in so many seconds, and it is banned; each try lengthens it. */
export interface BanRule {
  readonly connections: number;
  readonly withinMs: number;
  readonly forMs: number;
}

/** What a simulated server is made of. */
export interface SimulatedServerOptions {
  readonly host: string;
  /** 0 takes any. */
  readonly port: number;
  /** 1 to 20 ASCII characters; what its clients are told. */
  readonly label: string;
  readonly clock?: Clock;
  readonly slowMs?: number;
}

/** A CCcam-like server: greets with 16 random bytes, closes silent clients after 3 s, keeps the others alive. */
export class SimulatedServer {
  readonly label: string;
  readonly host: string;
  readonly #clock: Clock;
  readonly #sockets = new Set<Socket>();
  readonly #sessions = new Set<Socket>();
  #server: Server | undefined;
  #port: number;
  #mode: ServerMode = 'normal';
  #accepted = 0;
  /** Connections that take a place. */
  #taken = 0;
  readonly #visits = new Map<string, number[]>();
  readonly #bans = new Map<string, number>();
  /** Its own limit, or null. */
  limit: ServerLimit | null = null;
  /** Its rule against frequent connections, or null. */
  ban: BanRule | null = null;
  /** How long it takes to greet while it is slow. */
  slowMs: number;
  /** Bytes that it greets with; less than 16 is what another program may send. */
  greetingBytes = GREETING_BYTES;
  /** Whether it sends and answers no keepalives, as servers do that leave them to the client. */
  quiet = false;

  constructor(options: SimulatedServerOptions) {
    this.label = options.label;
    this.host = options.host;
    this.#port = options.port;
    this.#clock = options.clock ?? systemClock;
    this.slowMs = options.slowMs ?? 1_000;
  }

  get port(): number {
    return this.#port;
  }

  get mode(): ServerMode {
    return this.#mode;
  }

  /** Clients that said hello and are still there. */
  get sessions(): number {
    return this.#sessions.size;
  }

  /** Connections taken since it began, probes and checks among them. */
  get accepted(): number {
    return this.#accepted;
  }

  /** Changes how it behaves from now on; `hung` also falls silent towards those who are there. */
  set mode(mode: ServerMode) {
    this.#mode = mode;
  }

  /** Starts to listen. @throws CccamError CCP_SETTING_INVALID when the port is taken */
  async listen(): Promise<void> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      this.#serve(socket).catch((thrown: unknown) => socket.destroy(thrown instanceof Error ? thrown : new Error(messageOf(thrown))));
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ port: this.#port, host: this.host, backlog: 4_096 }, resolve);
    }).catch((thrown: unknown) => {
      throw new CccamError('CCP_SETTING_INVALID', {
        subject: hostPort(this.host, this.#port),
        message: `cannot be listened on (${systemCode(thrown) ?? messageOf(thrown)})`,
        remedy: 'Choose another address or port with --host and --port.',
        cause: thrown,
      });
    });
    const address = server.address();
    if (address !== null && typeof address === 'object') this.#port = address.port;
    this.#server = server;
  }

  /** Dies like a killed process: stops listening and resets everybody. */
  async kill(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    for (const socket of this.#sockets) socket.resetAndDestroy();
    await new Promise<void>((resolve) => {
      if (server === undefined) return resolve();
      server.close(() => resolve());
    });
  }

  async #serve(socket: Socket): Promise<void> {
    this.#accepted += 1;
    this.#sockets.add(socket);
    socket.on('error', () => socket.destroy()); // a client that resets is everyday life
    socket.on('close', () => {
      this.#sockets.delete(socket);
      this.#sessions.delete(socket);
    });
    socket.on('end', () => {
      if (this.#mode !== 'leaking' && this.#mode !== 'hung') socket.end();
    });
    socket.on('data', (chunk) => this.#hear(socket, chunk));
    if (this.#isBanned(socket.remoteAddress ?? '')) {
      socket.end();
      return;
    }
    if (this.#isRefusedAsTooMany(socket)) return;
    await this.#greet(socket);
  }

  #isBanned(address: string): boolean {
    if (this.ban === null) return false;
    const { connections, forMs, withinMs } = this.ban;
    const now = this.#clock.monotonic();
    const visits = [...(this.#visits.get(address) ?? []).filter((at) => now - at < withinMs), now];
    this.#visits.set(address, visits);
    const banned = (this.#bans.get(address) ?? 0) > now || visits.length > connections;
    if (banned) this.#bans.set(address, now + forMs);
    return banned;
  }

  /** Takes a place, or does with one too many what the limit says. */
  #isRefusedAsTooMany(socket: Socket): boolean {
    const full = this.limit !== null && this.#taken >= this.limit.sessions && this.limit.full !== 'greet';
    if (full) {
      if (this.limit?.full === 'close') socket.end();
      return true;
    }
    this.#taken += 1;
    socket.once('close', () => {
      this.#taken -= 1;
    });
    return false;
  }

  async #greet(socket: Socket): Promise<void> {
    switch (this.#mode) {
      case 'hung':
        return;
      case 'banning':
        socket.end();
        return;
      case 'closing':
        socket.resetAndDestroy();
        return;
      case 'slow':
        await this.#clock.sleep(this.slowMs);
    }
    if (socket.destroyed) return;
    socket.write(randomBytes(this.greetingBytes));
    await this.#clock.sleep(SILENCE_LIMIT_MS);
    if (!this.#sessions.has(socket) && this.#mode !== 'leaking') socket.end();
  }

  #hear(socket: Socket, chunk: Buffer): void {
    if (this.#mode === 'hung') return;
    if (this.#sessions.has(socket)) {
      if (!this.quiet) socket.write(KEEPALIVE); // whatever a client sends is answered, as keepalives and requests are
      return;
    }
    if (!chunk.subarray(0, HELLO.length).equals(HELLO)) return;
    if (this.limit?.full === 'greet' && this.#sessions.size >= this.limit.sessions) {
      socket.end();
      return;
    }
    this.#sessions.add(socket);
    socket.write(answerOf(this.label));
    this.#keepAlive(socket).catch((thrown: unknown) => socket.destroy(thrown instanceof Error ? thrown : new Error(messageOf(thrown))));
  }

  async #keepAlive(socket: Socket): Promise<void> {
    const gone = new AbortController();
    socket.once('close', () => gone.abort());
    while (!socket.destroyed) {
      await this.#clock.sleep(KEEPALIVE_EVERY_MS, gone.signal);
      if (!socket.destroyed && !this.quiet && this.#mode !== 'hung') socket.write(KEEPALIVE);
    }
  }
}
