import type { RequestOptions } from 'node:https';
import { KubeConfig } from '@kubernetes/client-node';
import { messageOf } from '../runtime/errors.ts';
import { type ApiServerAccess, type Credentials, unknownCluster } from './api-server-access.ts';

/**
 * The API server of a kubeconfig, with every kind of authentication that kubectl knows. Loads the client library, so only the
 * processes of people do this; its requests and watches are not used (each opens a connection of its own, and its informer dies).
 *
 * @param path file, or null for `$KUBECONFIG` and `~/.kube/config`
 * @throws CccamError CCP_CLUSTER_UNKNOWN
 */
export function fromKubeconfig(path: string | null, context: string | null): ApiServerAccess {
  const config = new KubeConfig();
  try {
    if (path === null) config.loadFromDefault();
    else config.loadFromFile(path);
    if (context !== null) config.setCurrentContext(context);
  } catch (thrown) {
    throw unknownCluster(path ?? 'kubeconfig', messageOf(thrown));
  }
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw unknownCluster(path ?? 'kubeconfig', `has no cluster for the context ${config.getCurrentContext()}`);
  return {
    server: new URL(cluster.server),
    namespace: config.getContextObject(config.getCurrentContext())?.namespace ?? null,
    async credentials(): Promise<Credentials> {
      const options: RequestOptions = {};
      await config.applyToHTTPSOptions(options);
      const { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername } = options;
      return { headers: headersOf(options), tls: defined({ ca, cert, key, pfx, passphrase, rejectUnauthorized, servername }) };
    },
    forget: () => undefined, // the library keeps tokens for a minute at most
  };
}

function headersOf(options: RequestOptions): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.headers ?? {})) headers[name.toLowerCase()] = String(value);
  if (typeof options.auth === 'string') headers['authorization'] = `Basic ${Buffer.from(options.auth).toString('base64')}`;
  return headers;
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

function defined<T extends object>(options: T): Defined<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Defined<T>;
}
