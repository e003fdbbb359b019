import { subnet64 } from '../../runtime/server-address.ts';
import { BACKEND } from '../model.ts';

/** Sessions that are read of one worker: more than that tell nothing more. HAProxy needs some 13 ms for a thousand, 1.4 MB. */
const MOST_SESSIONS = 10_000;

/**
 * Reads `show sess all`, line by line: for each server, how many bytes each of its sessions has had from it. The statistics do not say
 * that: HAProxy adds a session to them when it ends, or every 5 s at best (`option contstats`).
 */
export class SessionTotalsReader {
  readonly servers = new Map<string, Map<string, number>>();
  /** Sessions by the address of their client, as tables print it. */
  readonly clients = new Map<string, number>();
  readonly #pid: number;
  #session: string | null = null;
  #inBackend = false;
  #server: string | null = null;
  #sessions = 0;
  #client: string | null = null;

  /** @param pid of the worker; sessions of two workers may have the same number */
  constructor(pid: number) {
    this.#pid = pid;
  }

  /** Whether enough was read. */
  get isFull(): boolean {
    return this.#sessions >= MOST_SESSIONS;
  }

  /** Takes the next line. */
  read(line: string): void {
    if (line.startsWith('0x')) {
      const number = / id=(\d+) /.exec(line)?.[1];
      this.#session = number === undefined ? null : `${this.#pid}:${number}`;
      this.#client = clientOf(line);
      this.#inBackend = false;
      this.#server = null;
      this.#sessions += 1;
    } else if (line.startsWith('  backend=')) this.#inBackend = line.startsWith(`  backend=${BACKEND} `);
    else if (line.startsWith('  server=')) this.#server = /^ {2}server=(\S+) \(id=\d+\)/.exec(line)?.[1] ?? null;
    else if (line.startsWith('  res=')) this.#take(Number(/ total=(\d+)\)/.exec(line)?.[1]));
  }

  #take(bytes: number): void {
    if (this.#session === null || this.#server === null || !this.#inBackend || !Number.isSafeInteger(bytes)) return;
    const sessions = this.servers.get(this.#server) ?? new Map<string, number>();
    sessions.set(this.#session, bytes);
    this.servers.set(this.#server, sessions);
    if (this.#client !== null) this.clients.set(this.#client, (this.clients.get(this.#client) ?? 0) + 1);
  }
}

/** As tables hold it: an IPv4 address behind `::ffff:`, or the /64 of an IPv6 address. */
function clientOf(line: string): string | null {
  const [, family, address] = / proto=tcpv([46]) source=(\S+):\d+$/.exec(line) ?? [];
  if (address === undefined) return null;
  return family === '4' ? `::ffff:${address}` : subnet64(address);
}
