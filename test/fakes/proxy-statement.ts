import type { ProxyReport, ProxyStatement, ServerStatement } from '../../src/pool/proxy-report.ts';
import type { ServerStanding } from '../../src/pool/server-standing.ts';
import { revisionOf } from '../../src/wire/proxy-config.ts';

/** What a ConfigMap asks for. */
export interface ProxyConfigFacts {
  readonly text: string;
  /** States, by server. */
  readonly servers: ReadonlyMap<string, string>;
}

/** What a proxy says that knows of nothing. */
export const NOTHING_SAID: ProxyStatement = {
  configRevision: null,
  synced: false,
  localError: null,
  panic: false,
  clients: { addresses: 0, most: 0 },
  refusedLately: { client: 0, full: 0 },
  localPorts: { taken: 0, of: 0 },
  maxConnections: 0,
  servers: new Map(),
};

/** What a proxy says that has done what it was asked for. */
export function statementOf({ servers, text }: ProxyConfigFacts, sessions: ReadonlyMap<string, number>): ProxyReport['said'] {
  const statements = [...servers].map(([name, state]): [string, ServerStatement] => {
    const ready = state === 'ready';
    return [
      name,
      {
        sessions: sessions.get(name) ?? 0,
        counted: true,
        admin: ready ? 'ready' : 'drain',
        inRotation: ready,
        mayHold: 500,
        ...standing(ready),
      },
    ];
  });
  return { ...NOTHING_SAID, configRevision: text === '' ? null : revisionOf(text), synced: true, servers: new Map(statements) };
}

function standing(ready: boolean): ServerStanding {
  return { health: ready ? 'up' : null, cause: null, learnedLimit: null, limitIsSure: false };
}
