import { readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type CccamPool, isSet } from '../api/v1alpha1/index.ts';
import { fittingMaxConnections, hardFileLimit } from '../haproxy/file-limit.ts';
import type { Structure } from '../haproxy/model.ts';
import type { Attention } from '../pool/attention.ts';
import type { ProxyRuntime } from '../pool/proxy-model.ts';
import { isHere, isOwnAddress } from './own-addresses.ts';
import type { StateFolder } from './state-folder.ts';

/** What the machine sets to a pool: files, users and addresses. */
export class Host {
  readonly #bind: string;
  readonly #sockets: StateFolder['sockets'];
  readonly #user: Structure['user'];
  readonly #fileLimit: number;
  /** Why HAProxy has more rights than it needs, or null. */
  readonly warning: string | null;
  #fewFiles: Attention | null = null;

  private constructor(bind: string, sockets: StateFolder['sockets'], worker: WorkerUser, fileLimit: number) {
    this.#bind = bind;
    this.#sockets = sockets;
    this.#user = worker.user;
    this.warning = worker.reason;
    this.#fileLimit = fileLimit;
  }

  /** Looks at the machine. @param bind address that clients connect to */
  static async look(bind: string, folder: StateFolder): Promise<Host> {
    const [worker, fileLimit] = await Promise.all([workerUser(folder.path), hardFileLimit()]);
    return new Host(bind, folder.sockets, worker, fileLimit);
  }

  /** Whether clients of the pool are served at an address. */
  readonly own = (address: string): boolean => isOwnAddress(this.#bind, address);

  /**
   * Where a pool runs here.
   *
   * @param data what the person wrote
   * @throws CccamError CCP_FILE_LIMIT where a stated figure does not fit
   */
  runtimeFor(pool: CccamPool, data: unknown): ProxyRuntime {
    const wanted = pool.spec.proxy.maxConnections;
    const fits = fittingMaxConnections(wanted, isSet(data, ['spec', 'proxy', 'maxConnections']), this.#fileLimit);
    this.#fewFiles = fits < wanted ? fewFiles(wanted, fits, this.#fileLimit) : null;
    return { bindAddress: this.#bind, maxConnections: fits, sockets: this.#sockets, user: this.#user };
  }

  /** What the owner of the pool should mind now. */
  attentions(): Attention[] {
    const missing: Attention[] = isHere(this.#bind) ? [] : [addressMissing(this.#bind)];
    return [...missing, ...(this.#fewFiles === null ? [] : [this.#fewFiles])];
  }
}

function fewFiles(wanted: number, fits: number, limit: number): Attention {
  const message =
    `The limit of ${limit} open files is enough for ${fits} sessions, not for the default of ${wanted}; connections above that are refused. ` +
    `Raise the limit (ulimit -Hn, LimitNOFILE=), or set proxy.maxConnections to ${fits}.`;
  return { reason: 'OpenFilesLow', message };
}

function addressMissing(bind: string): Attention {
  const message =
    `This machine does not have the address ${bind} now: no client can connect. HAProxy already listens on it, and serves as soon as it is there. ` +
    'A virtual address may be on the other machine. Otherwise check the network, or --bind.';
  return { reason: 'AddressMissing', message };
}

interface WorkerUser {
  readonly user: Structure['user'];
  readonly reason: string | null;
}

/**
 * The unprivileged user that HAProxy's workers become: only root can change who it is, and only to a user that exists and that can
 * get through to the sockets in the state folder. One that cannot would lose the stick table at every reload, without a word.
 *
 * @returns the user, or null with the reason where there is one that a person should know
 */
export async function workerUser(stateFolder: string): Promise<WorkerUser> {
  if (process.getuid?.() !== 0) return { user: null, reason: null };
  const [users, groups] = await Promise.all([readFile('/etc/passwd', 'utf8'), readFile('/etc/group', 'utf8')]);
  const has = (text: string): boolean => text.split('\n').some((line) => line.startsWith('haproxy:'));
  if (!has(users) || !has(groups)) return { user: null, reason: 'there is no user haproxy: HAProxy runs as root' };
  for (let folder = stateFolder; folder !== '/'; folder = dirname(folder)) {
    const { mode } = await stat(folder);
    if ((mode & 0o001) === 0) return { user: null, reason: `other users may not pass through ${folder}: HAProxy runs as root` };
  }
  return { user: { user: 'haproxy', group: 'haproxy' }, reason: null };
}
