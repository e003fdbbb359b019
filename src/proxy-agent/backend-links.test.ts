import { afterEach, describe, expect, it } from 'vitest';
import { throughout, until } from '../../test/support/until.ts';
import { ProxyLinks } from '../backend-agent/proxy-links.ts';
import type { ProxyObservation } from '../haproxy/observation.ts';
import { systemClock } from '../runtime/clock.ts';
import { type HttpServer, serveHttp } from '../runtime/http-server.ts';
import { type BackendLine, LINK_PATH } from '../wire/agent-link.ts';
import { BackendLinks } from './backend-links.ts';

const SERVES: BackendLine = { draining: false, deadlineInMs: null };
const DRAINS: BackendLine = { draining: true, deadlineInMs: 60_000 };
const ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** The agent of a server, as far as its links go. */
async function backend(port = 0): Promise<{ links: ProxyLinks; http: HttpServer }> {
  const links = new ProxyLinks({ first: SERVES, clock: systemClock, onChange: () => undefined, onLost: () => undefined });
  const http = await serveHttp(
    { host: '127.0.0.1', port, option: '--http' },
    new Map([[`POST ${LINK_PATH}`, async (request, response) => await links.accept(request, response)]]),
  );
  ends.push(() => http.close());
  return { links, http };
}

/** The links of a proxy to one server. */
function proxy(port: number, onChange = (): void => undefined): BackendLinks {
  const links = new BackendLinks({ proxy: 'p', clock: systemClock, random: () => 0.5, onChange, onTrouble: () => undefined });
  links.follow(new Map([['s', { address: '127.0.0.1', port }]]));
  ends.push(() => links.stop());
  return links;
}

/** What a proxy has read of its server. */
function seen(admin: 'ready' | 'drain'): ProxyObservation {
  return { error: null, servers: [{ name: 's', admin }] } as unknown as ProxyObservation;
}

describe('the link between a proxy and a server', () => {
  it('carries that the pod ends to the proxy, and that no session is sent there any more back', async () => {
    const { http, links } = await backend();
    const there = proxy(http.port);
    await until('it is connected', () => links.size === 1);
    there.report(seen('ready'));
    await until('it routes', () => links.routing);
    links.publish(DRAINS);
    await until('the proxy knows', () => there.states.get('s')?.draining === true);
    there.report(seen('drain'));
    await until('it routes no more', () => !links.routing);
  });

  it('keeps the word of an agent that is gone, until another one says otherwise', async () => {
    const first = await backend();
    const there = proxy(first.http.port);
    await until('it is connected', () => first.links.size === 1);
    first.links.publish(DRAINS);
    await until('the proxy knows', () => there.states.get('s')?.draining === true);
    await first.http.close();
    await until('it has noticed', () => first.links.size === 0);
    expect(there.states.get('s')?.draining).toBe(true);
    const second = await backend(first.http.port);
    await until('it is connected again', () => second.links.size === 1);
    await until('the proxy knows', () => there.states.get('s')?.draining === false);
  });

  it('sets the time of the closing once, however often it is said how much of it is left', async () => {
    const { http, links } = await backend();
    const states: unknown[] = [];
    const there = proxy(http.port, () => states.push(there.states.get('s')?.deadlineAt));
    await until('it is connected', () => links.size === 1);
    links.publish(DRAINS);
    links.publish({ ...DRAINS, deadlineInMs: 70_000 });
    links.publish({ ...DRAINS, deadlineInMs: null });
    await until('the proxy has heard the last', () => states.includes(null));
    expect(states).toEqual([expect.any(Number), null]);
  });

  it('counts a proxy that has read nothing back yet as one that would send sessions', async () => {
    const { http, links } = await backend();
    const there = proxy(http.port);
    await until('it is connected', () => links.size === 1);
    await throughout('it may send somebody', 300, async () => links.routing);
    there.report(seen('drain'));
    await until('it has said that it does not', () => !links.routing);
  });

  it('is over for servers that are not named any more', async () => {
    const { http, links } = await backend();
    const there = proxy(http.port);
    await until('it is connected', () => links.size === 1);
    there.follow(new Map());
    await until('it is over', () => links.size === 0);
  });

  it.each(['garbage', '{"draining":"yes"}', 'x'.repeat(5_000)])('is cut when it carries what is no line: %.20s', async (line) => {
    const { http, links } = await backend();
    const there = proxy(http.port);
    await until('it is connected', () => links.size === 1);
    const answer = await fetch(`http://127.0.0.1:${http.port}${LINK_PATH}`, {
      method: 'POST',
      body: `${line}\n`,
    });
    await answer.text().catch(() => '');
    expect(links.size).toBe(1);
    expect(there.states.get('s')?.draining).toBe(false);
  });
});
