import { describe, expect, it } from 'vitest';
import { aPool } from '../../test/fakes/pools.ts';
import { ANYTHING } from '../../test/fakes/settings.ts';
import { pathText } from '../api/v1alpha1/index.ts';
import { policyIssues, type TenantPolicy } from './tenant-policy.ts';

const POOL = aPool({
  backends: [
    { name: 'a', external: { address: '10.96.0.10' } },
    { name: 'b', external: { address: '192.0.2.1' } },
  ],
  proxy: {
    service: { type: 'NodePort', annotations: { 'service.beta.kubernetes.io/x': '1', 'external-dns.alpha.kubernetes.io/hostname': 'y' } },
  },
});

function fields(policy: Partial<TenantPolicy>): string[] {
  return [...policyIssues('tv', POOL, { ...ANYTHING, ...policy })].map(({ path }) => pathText(path));
}

describe('policyIssues', () => {
  it('finds nothing where nothing is forbidden', () => {
    expect(fields({})).toEqual([]);
    expect(
      fields({ ownNamespace: 'cccam-system', refusedNetworks: ['10.0.0.0/16'], serviceAnnotations: ['service.', 'external-dns.'] }),
    ).toEqual([]);
  });

  it.each<[Partial<TenantPolicy>, string[]]>([
    [{ ownNamespace: 'tv' }, ['metadata.namespace']],
    [{ serviceTypes: ['ClusterIP'] }, ['spec.proxy.service.type']],
    [{ serviceAnnotations: ['service.beta.kubernetes.io/'] }, ['spec.proxy.service.annotations.external-dns.alpha.kubernetes.io/hostname']],
    [
      { serviceAnnotations: [] },
      [
        'spec.proxy.service.annotations.service.beta.kubernetes.io/x',
        'spec.proxy.service.annotations.external-dns.alpha.kubernetes.io/hostname',
      ],
    ],
    [{ refusedNetworks: ['10.96.0.0/12', 'fd00::/8'] }, ['spec.backends[0].external.address']],
  ])('names what %j forbids', (policy, expected) => {
    expect(fields(policy)).toEqual(expected);
  });
});
