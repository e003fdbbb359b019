import { wishName } from '../../src/haproxy/wish.ts';
import type { ProxyReport, ServerStatement } from '../../src/pool/proxy-report.ts';
import type { ServerStanding } from '../../src/pool/server-standing.ts';

/** What a ConfigMap asks for. */
export interface Wish {
  readonly text: string;
  /** States, by server. */
  readonly servers: ReadonlyMap<string, string>;
}

/** What a proxy says that has done what it was asked for. */
export function statementOf({ servers, text }: Wish, sessions: ReadonlyMap<string, number>): ProxyReport['said'] {
  const statements = [...servers].map(([name, state]): [string, ServerStatement] => {
    const ready = state === 'ready';
    return [
      name,
      { sessions: sessions.get(name) ?? 0, counted: true, admin: ready ? 'ready' : 'drain', inRotation: ready, ...standing(ready) },
    ];
  });
  return { wish: text === '' ? null : wishName(text), synced: true, localError: null, panic: false, servers: new Map(statements) };
}

function standing(ready: boolean): ServerStanding {
  return { health: ready ? 'up' : null, cause: null, learnedLimit: null, limitIsSure: false };
}
