import { describe, expect, it } from 'vitest';
import { aClusterView, UID } from '../../test/fakes/cluster-views.ts';
import { aPodOf } from '../../test/fakes/pools.ts';
import { NOTHING_SAID } from '../../test/fakes/proxy-statement.ts';
import { SETTINGS } from '../../test/fakes/settings.ts';
import { TEMPLATE_ANNOTATION } from '../api/v1alpha1/index.ts';
import type { ChildFacts } from './child.ts';
import type { ClusterView } from './cluster-view.ts';
import type { ProxyReport } from './proxy-report.ts';
import { reconcile } from './reconcile.ts';
import { heldBackends } from './rollout.ts';
import type { RosterEntry } from './roster.ts';

const NOW = Date.parse('2026-01-01T12:00:00Z');

const FACTS: ChildFacts = { uid: 'x', ownerUid: UID, applied: 'y', fingerprint: 'z', content: null, deployment: null };
const BACKENDS = [{ name: 'b', external: { address: '192.0.2.1' } }];

/** A pool whose backend `a` has left the spec with people still on its only pod, an hour after its deadline. */
function left(onDeadline: string, sessions: number): ClusterView {
  const entry: RosterEntry = {
    name: 'p-a-1-x-10.0.0.1:12000',
    id: 1,
    backend: 'a',
    address: '10.0.0.1',
    port: 12_000,
    weight: 256,
    maxConnections: 500,
    role: 'Active',
    drain: { kind: 'draining', reason: 'removed', since: NOW - 7_200_000 },
    deadlineMs: 3_600_000,
    pod: { name: 'p-a-1-x', uid: 'u' },
  };
  const said: ProxyReport['said'] = {
    ...NOTHING_SAID,
    synced: true,
    servers: new Map([
      [
        entry.name,
        {
          sessions,
          counted: true,
          admin: 'drain',
          inRotation: false,
          mayHold: 0,
          health: null,
          cause: null,
          learnedLimit: null,
          limitIsSure: false,
        },
      ],
    ]),
  };
  const pod = aPodOf('a', { address: '10.0.0.1', containersReady: true });
  return aClusterView(
    { backends: BACKENDS, drain: { deadline: '1h', onDeadline } },
    {
      roster: [entry],
      pods: [pod],
      proxies: [{ name: 'x', uid: 'x', agent: null, ready: true, terminatingSince: null, gracePeriodMs: null, said, error: null }],
      children: new Map([['Deployment/p-a', FACTS]]),
    },
  );
}

describe('the Deployment of a backend that has left the spec', () => {
  it.each([
    ['Keep', 3, 0],
    ['Keep', 0, 1],
    ['Close', 3, 0],
    ['Close', 0, 1],
  ])('with onDeadline %s and %i sessions left after the deadline: %i deletions', (onDeadline, sessions, deletions) => {
    expect(reconcile(left(onDeadline, sessions), NOW).changes.remove).toHaveLength(deletions);
  });
});

describe('a ConfigMap of another owner', () => {
  it('keeps the proxies from being made: their agents would follow it', () => {
    const stranger = new Map([['ConfigMap/p-haproxy', { ...FACTS, ownerUid: '' }]]);
    const applied = reconcile(aClusterView({ backends: BACKENDS }, { children: stranger }), NOW).changes.apply.map((child) => child.kind);
    expect(applied).not.toContain('ConfigMap');
    expect(applied).not.toContain('Deployment');
    expect(applied).not.toContain('Service');
  });
});

describe('a proxy that is given less time to end than its sessions have', () => {
  const endsWith = (gracePeriodMs: number, name = 'x'): unknown => {
    const proxy = {
      name,
      uid: 'x',
      agent: null,
      ready: true,
      terminatingSince: NOW,
      gracePeriodMs,
      said: 'pending',
      error: null,
    } as const;
    const map = reconcile(aClusterView({ backends: BACKENDS, drain: { deadline: '1h' } }, { proxies: [proxy] }), NOW).changes.apply.find(
      (child) => child.kind === 'ConfigMap',
    );
    const data = (map?.['data'] ?? {}) as Record<string, string>;
    return (JSON.parse(data['proxy.json'] ?? '{}') as { ends?: unknown }).ends;
  };

  it('is told when to close the sessions that remain, early enough to do it a few at a time', () => {
    expect(endsWith(600_000)).toEqual([{ proxy: 'x', deadlineAt: NOW + 570_000 }]);
    expect(endsWith(1_000)).toEqual([{ proxy: 'x', deadlineAt: NOW }]);
    expect(endsWith(3_660_000)).toEqual([{ proxy: 'x', deadlineAt: NOW + 3_630_000 }]);
    // What is longer than a host name may be is cut by the kubelet, and a pod knows itself by its host name.
    expect(endsWith(1_000, 'x'.repeat(65))).toEqual([{ proxy: 'x'.repeat(63), deadlineAt: NOW }]);
  });
});

describe('an apply', () => {
  /** Whether it is decided on what the API server itself says, when the caches know of three proxies and of three servers. */
  const asksFirst = (spec: object, known: object = many): boolean => {
    const deployments = reconcile(aClusterView(known), NOW).changes.apply.filter((child) => child.kind === 'Deployment');
    const children = deployments.map(({ metadata }) => {
      const template = metadata.annotations[TEMPLATE_ANNOTATION] ?? null;
      const deployment = { agentImage: 'a', template, paused: false, observed: true, wanted: 3, updated: 3, total: 3, available: 3 };
      return [`Deployment/${metadata.name}`, { ...FACTS, deployment }] as const;
    });
    return reconcile(aClusterView(spec, { children: new Map(children) }), NOW).changes.disruptive;
  };
  const pods = { podTemplate: { spec: { containers: [{ name: 's', image: 's', ports: [{ containerPort: 12_000 }] }] } } };
  const many = { ...pods, backends: [{ name: 'a', replicas: 3 }], proxy: { replicas: 3 } };

  it('that takes pods away, or lets go of a count, is decided on what the API server itself says', () => {
    expect(asksFirst({ ...many, backends: [{ name: 'a', replicas: 2 }] })).toBe(true);
    expect(asksFirst({ ...many, backends: [{ name: 'a' }] })).toBe(true);
    expect(asksFirst({ ...many, proxy: { replicas: 2 } })).toBe(true);
    expect(asksFirst({ ...many, proxy: { replicas: 3, image: 'another:1' } })).toBe(true); // another template of the proxies
    expect(asksFirst({ ...many, port: 12_001 })).toBe(false); // the Service's business
  });

  it('that adds pods is not', () => {
    expect(asksFirst({ ...many, backends: [{ name: 'a', replicas: 4 }], proxy: { replicas: 4 } })).toBe(false);
  });
});

describe('the NetworkPolicy of the proxies', () => {
  it('opens the agents to no pod when no peer is named', () => {
    const policy = reconcile(aClusterView({ backends: BACKENDS }, { settings: SETTINGS }), NOW).changes.apply.find(
      (child) => child.kind === 'NetworkPolicy',
    );
    expect((policy?.['spec'] as { ingress: object[] } | undefined)?.ingress).toEqual([{ ports: [{ protocol: 'TCP', port: 12_000 }] }]);
  });
});

describe('the NetworkPolicy of the servers', () => {
  it('names the ports of servers one by one, for networks that know no ranges, and the agent’s only for the proxies and peers', () => {
    const podTemplate = { spec: { containers: [{ name: 'c', image: 'i', ports: [{ containerPort: 12_000 }, { containerPort: 8_888 }] }] } };
    const backends = [
      { name: 'a', replicas: 1 },
      { name: 'b', replicas: 1, port: 13_000 },
    ];
    const policy = reconcile(aClusterView({ backends, podTemplate }), NOW).changes.apply.find(
      ({ kind, metadata }) => kind === 'NetworkPolicy' && metadata.name === 'p-backends',
    );
    const rules = (policy?.['spec'] as { ingress: { from?: object[]; ports: { port: number }[] }[] } | undefined)?.ingress ?? [];
    expect(rules[0]?.ports.map(({ port }) => port)).toEqual([8_888, 12_000, 13_000]);
    expect(rules[0]?.from).toBeUndefined();
    expect(rules.filter(({ ports }) => ports.some(({ port }) => port === 9_322)).map(({ from }) => from?.length)).toEqual([2]);
  });
});

describe('heldBackends', () => {
  const whole = { agentImage: 'a', template: 'old', paused: false, observed: true, wanted: 2, updated: 2, total: 2, available: 2 };

  it('does not count a backend that should serve no client: it is never in rotation', () => {
    const unweighted = { backend: 'r', template: 'old', weightZero: true, waits: false, ready: 0, deployment: { ...whole, available: 0 } };
    const next = { backend: 'a', template: 'new', weightZero: false, waits: false, ready: 2, deployment: whole };
    expect(heldBackends([unweighted, next], 1)).toEqual(new Set());
    expect(heldBackends([{ ...unweighted, weightZero: false }, next], 1)).toEqual(new Set(['a']));
  });

  it('holds the next pod of a backend back while the last one still drains', () => {
    const halfway = { ...whole, template: 'new', updated: 1, available: 2 };
    const rolling = { backend: 'a', template: 'new', weightZero: false, ready: 2, deployment: halfway };
    expect(heldBackends([{ ...rolling, waits: true }], 1)).toEqual(new Set(['a']));
    expect(heldBackends([{ ...rolling, waits: false }], 1)).toEqual(new Set());
  });

  it('does not hold a rollout back before it has begun, nor while a pod is missing that nothing else would make', () => {
    const rolling = { backend: 'a', template: 'new', weightZero: false, waits: true, ready: 2 };
    expect(heldBackends([{ ...rolling, deployment: { ...whole, template: 'new', updated: 0 } }], 1)).toEqual(new Set());
    expect(heldBackends([{ ...rolling, deployment: { ...whole, template: 'new', updated: 1, total: 1, available: 1 } }], 1)).toEqual(
      new Set(),
    );
  });

  it('takes a Deployment that only lags behind its pods for busy, and does not go on with it as if it were down', () => {
    const lagging = { ...whole, available: 0 };
    const both = ['a', 'b'].map((backend) => ({
      backend,
      template: 'new',
      weightZero: false,
      waits: false,
      ready: 2,
      deployment: lagging,
    }));
    expect(heldBackends(both, 1)).toEqual(new Set(['a', 'b']));
    expect(
      heldBackends(
        both.map((each, index) => ({ ...each, ready: index === 0 ? 1 : 2 })),
        1,
      ),
    ).toEqual(new Set(['b']));
    expect(heldBackends(both.slice(0, 1), 1)).toEqual(new Set());
  });
});
