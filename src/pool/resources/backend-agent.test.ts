import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aPool } from '../../../test/fakes/pools.ts';
import { withBackendAgent } from './backend-agent.ts';

const IDENTITY = { namespace: 'tv', name: 'p', uid: 'u' };
const CONTAINER = { name: 'oscam', image: 'oscam:1', ports: [{ containerPort: 12_000 }] };
const BACKEND = { name: 'a', replicas: 1, port: 12_000 };

/** The pod spec that comes of a user's. */
function injected(
  theirs: Record<string, unknown>,
  drain: Record<string, unknown> = {},
): { initContainers?: unknown; containers?: unknown } {
  const podTemplate = { spec: { containers: [CONTAINER], ...theirs } };
  const { spec } = aPool({ backends: [{ name: 'a', external: { address: '127.0.1.1' } }], drain });
  const [backend] = spec.backends;
  if (backend === undefined) throw new Error('the pool has no backend');
  return withBackendAgent(podTemplate, { pool: IDENTITY, spec, backend: { ...backend, ...BACKEND } }, 'agent:1');
}

describe('withBackendAgent', () => {
  it('puts the agent beside the server as a native sidecar, behind the user’s own init containers', () => {
    const { initContainers } = injected({ initContainers: [{ name: 'copy' }] });
    expect(initContainers).toMatchObject([{ name: 'copy' }, { name: 'backend-agent', image: 'agent:1', restartPolicy: 'Always' }]);
  });

  it('makes the end of every container wait for the sessions, but for one with a hook of its own', () => {
    const logs = { name: 'logs', lifecycle: { preStop: { sleep: { seconds: 1 } } } };
    const { containers } = injected({ containers: [logs, CONTAINER] }, { deadline: '10m' });
    const preStop = { httpGet: { port: 9_322, path: '/drain?deadlineMs=600000&close=true' } };
    expect(containers).toMatchObject([logs, { lifecycle: { preStop } }]);
    expect((containers as object[])[0]).toEqual(logs);
    expect(injected({ containers: [{ name: 'tunnel' }, CONTAINER] }, { deadline: '10m' }).containers).toMatchObject([
      { name: 'tunnel', lifecycle: { preStop: { httpGet: { path: '/drain?deadlineMs=600000&close=true&helper=true' } } } },
      { lifecycle: { preStop } },
    ]);
  });

  it('tells the agent the address of its node, and nothing that opens anything', () => {
    const { initContainers } = injected({});
    expect(initContainers).toMatchObject([
      {
        args: ['backend-agent', '--port', '12000', '--http', '[::]:9322'],
        env: [{ name: 'CCCAM_NODE_ADDRESS', valueFrom: { fieldRef: { fieldPath: 'status.hostIP' } } }],
      },
    ]);
  });

  it('probes whether the server listens only where the user’s template has no readiness probe', () => {
    const probe = { tcpSocket: { port: 12_000 } };
    expect(injected({}).containers).toMatchObject([{ readinessProbe: { httpGet: { path: '/listening', port: 9_322 } } }]);
    expect(injected({ containers: [{ ...CONTAINER, readinessProbe: probe }] }).containers).toMatchObject([{ readinessProbe: probe }]);
  });

  it('fits the restricted profile of Pod Security', () => {
    expect(injected({}).initContainers).toMatchObject([
      {
        securityContext: {
          allowPrivilegeEscalation: false,
          capabilities: { drop: ['ALL'] },
          readOnlyRootFilesystem: true,
          runAsNonRoot: true,
          seccompProfile: { type: 'RuntimeDefault' },
        },
      },
    ]);
  });

  it('keeps every field that the user has set', () => {
    const fields = fc.dictionary(
      fc.constantFrom('nodeSelector', 'hostNetwork', 'dnsPolicy', 'automountServiceAccountToken', 'enableServiceLinks', 'volumes', 'later'),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(fields, fc.dictionary(fc.constantFrom('env', 'image', 'args', 'stdin'), fc.jsonValue()), (spec, container) => {
        const result = injected({ ...spec, containers: [{ ...CONTAINER, ...container }] });
        expect(result).toMatchObject(spec);
        expect(result.containers).toMatchObject([{ ...CONTAINER, ...container }]);
      }),
    );
  });
});
