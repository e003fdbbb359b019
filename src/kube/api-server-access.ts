import { readFile } from 'node:fs/promises';
import type { RequestOptions } from 'node:https';
import { join } from 'node:path';
import type { Clock } from '../runtime/clock.ts';
import { CccamError, messageOf } from '../runtime/errors.ts';
import { hostPort } from '../runtime/host-port.ts';

/** What a TLS connection to the API server needs. */
export type TlsOptions = Pick<RequestOptions, 'ca' | 'cert' | 'key' | 'pfx' | 'passphrase' | 'rejectUnauthorized' | 'servername'>;

/** Who we are to the API server, read again for each call: tokens and certificates are rotated while we run. */
export interface Credentials {
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: TlsOptions;
}

/** An API server, and how to speak to it. */
export interface ApiServerAccess {
  readonly server: URL;
  /** Namespace that this process belongs to, where that is known. */
  readonly namespace: string | null;
  credentials(): Promise<Credentials>;
  /** Forgets what was remembered: the server said 401. */
  forget(): void;
}

/** The kubelet renews a token long before it ends, so a copy of a minute is still good. */
const REMEMBER_MS = 60_000;

/**
 * The API server as a pod sees it. Reads files and two environment variables, nothing else: agents must stay small.
 *
 * @param folder holds `token`, `ca.crt` and `namespace`
 * @throws CccamError CCP_CLUSTER_UNKNOWN outside of a pod
 */
export async function inCluster(env: NodeJS.ProcessEnv, folder: string, clock: Clock): Promise<ApiServerAccess> {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = env;
  if (host === undefined || port === undefined) {
    throw unknownCluster('environment', 'KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set: this is not a pod');
  }
  const read = async (name: string): Promise<string> => {
    const path = join(folder, name);
    return await readFile(path, 'utf8').catch((thrown: unknown) => {
      throw unknownCluster(path, messageOf(thrown));
    });
  };
  const server = new URL(`https://${hostPort(host, Number(port))}`);
  const [namespace] = await Promise.all([read('namespace'), read('ca.crt'), read('token')]);
  let remembered: { readonly credentials: Credentials; readonly until: number } | undefined;
  return {
    server,
    namespace: namespace.trim(),
    async credentials() {
      if (remembered === undefined || clock.monotonic() >= remembered.until) {
        const [token, ca] = await Promise.all([read('token'), read('ca.crt')]);
        const credentials = { headers: { authorization: `Bearer ${token.trim()}` }, tls: { ca } };
        remembered = { credentials, until: clock.monotonic() + REMEMBER_MS };
      }
      return remembered.credentials;
    },
    forget() {
      remembered = undefined;
    },
  };
}

/** The error for a process that cannot find its API server. */
export function unknownCluster(subject: string, message: string): CccamError {
  return new CccamError('CCP_CLUSTER_UNKNOWN', {
    subject,
    message,
    remedy: 'Run it in a pod with a service account, or with --kubeconfig.',
  });
}
