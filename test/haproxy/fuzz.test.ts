import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { durationMs, parsePool } from '../../src/api/v1alpha1/index.ts';
import type { ProxyModel } from '../../src/haproxy/model.ts';
import { renderConfig } from '../../src/haproxy/render.ts';
import { proxyModel } from '../../src/pool/proxy-model.ts';
import { nextRoster } from '../../src/pool/roster.ts';
import { arbitraryPool } from '../fakes/arbitrary-pools.ts';
import { BINARIES } from '../support/binaries.ts';
import { parseConfig } from './parse-config.ts';

function modelOf(
  data: unknown,
  sockets = { runtime: '/tmp/r.sock', peers: '/tmp/p.sock' },
): { model: ProxyModel; spec: ReturnType<typeof parsePool>['pool']['spec'] } {
  const { spec } = parsePool(data, 'standalone').pool;
  const roster = nextRoster({ spec, previous: [], counts: new Map() }, 0);
  return {
    spec,
    model: proxyModel(spec, roster, { bindAddress: '127.0.0.1', maxConnections: spec.proxy.maxConnections, sockets, user: null }),
  };
}

function textOf(model: ProxyModel): string {
  return renderConfig(
    model.structure,
    model.servers.map((server) => ({ ...server, inService: server.state === 'ready' })),
  );
}

describe('a configuration made from any accepted pool', () => {
  it('reads back as exactly what was asked for (10 000 pools)', { timeout: 300_000 }, () => {
    fc.assert(
      fc.property(arbitraryPool, (data) => {
        const { model, spec } = modelOf(data);
        const { sections, lines, servers } = parseConfig(textOf(model));
        expect(sections).toEqual(['global', 'defaults', 'peers itself', 'backend counts', 'frontend clients', 'backend servers']);
        expect(
          servers.map(({ name, target, id, weight, maxConnections, backup, disabled, checked }) => ({
            name,
            target,
            id,
            weight,
            maxConnections,
            backup,
            disabled,
            checked,
          })),
        ).toEqual(
          model.servers.map((server) => {
            const backend = spec.backends.find(
              (each) => server.name.startsWith(`${each.name}-`) && each.external?.address === server.address && each.port === server.port,
            );
            const host = server.address.includes(':') ? `[${server.address}]` : server.address;
            return {
              name: server.name,
              target: `${host}:${backend?.port}`,
              id: server.id,
              weight: backend?.weight ?? server.weight,
              maxConnections: backend?.capacity?.maxConnections ?? server.maxConnections,
              backup: backend?.role === 'Backup',
              disabled: backend?.drain?.enabled === true || server.weight === 0,
              checked: (backend?.health?.mode ?? spec.health.mode) === 'Active',
            };
          }),
        );
        const backendLines = lines.get('backend servers') ?? [];
        expect(backendLines.includes('stick on src,ipmask(32,64)')).toBe(spec.balance.stickiness.mode === 'SourceAddress');
        expect(backendLines.some((line) => line.startsWith('tcp-response'))).toBe(spec.health.probe === 'Greeting');
        expect(lines.get('defaults')).toContain(`timeout tunnel ${durationMs(spec.timeouts.idle)}ms`);
        expect(lines.get('frontend clients')).toContain(`bind 127.0.0.1:${spec.port} transparent`);
        expect(textOf(model)).not.toContain('shutdown-sessions');
        const rules = lines.get('frontend clients') ?? [];
        const limited = Object.values(spec.limits?.perClient ?? {}).filter((value) => value !== undefined).length;
        expect(rules.filter((line) => line.startsWith('acl client_refused'))).toHaveLength(limited);
        expect(rules.includes('tcp-request session reject if client_refused')).toBe(limited > 0);
        expect(rules).toContain(`acl proxy_full fe_conn,add(sess.held) gt ${spec.proxy.maxConnections}`);
      }),
      { numRuns: 10_000 },
    );
  });

  it.each(BINARIES)('is accepted by HAProxy $version (300 pools)', { timeout: 300_000 }, async ({ path }) => {
    const folder = await mkdtemp('/tmp/ccp-');
    try {
      const pools = fc.sample(arbitraryPool, { numRuns: 300, seed: 20_261_123 });
      for (const [index, data] of pools.entries()) {
        const file = join(folder, `${index}.cfg`);
        await writeFile(file, textOf(modelOf(data, { runtime: join(folder, 'r.sock'), peers: join(folder, 'p.sock') }).model));
        const { stdout, stderr } = await promisify(execFile)(path, ['-c', '-f', file]);
        expect(stdout + stderr, JSON.stringify(data)).not.toMatch(/ALERT|WARNING/);
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
