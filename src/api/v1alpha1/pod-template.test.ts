import { describe, expect, it } from 'vitest';
import { cccamContainerIndex, templateIssues } from './pod-template.ts';

const SERVER = { name: 'oscam', image: 'oscam', ports: [{ containerPort: 12_000 }] };

/** Issues of a template, as `path: message` lines. */
function issues(template: unknown): string[] {
  return [...templateIssues(template, 12_000, '1h', ['spec', 'podTemplate'])].map(({ path, message }) => `${path.join('.')}: ${message}`);
}

describe('templateIssues', () => {
  it('finds none in a template that says nothing of the operator’s own', () => {
    expect(issues({ metadata: { labels: { team: 'tv' } }, spec: { containers: [SERVER] } })).toEqual([]);
  });

  it.each([
    [
      { spec: { containers: [{ ...SERVER, lifecycle: { preStop: { exec: {} } } }] } },
      'spec.podTemplate.spec.containers.0.lifecycle.preStop',
    ],
    [{ spec: { containers: [SERVER, { name: 'backend-agent' }] } }, 'spec.podTemplate.spec.containers.1.name'],
    [{ spec: { containers: [SERVER], initContainers: [{ name: 'backend-agent' }] } }, 'spec.podTemplate.spec.initContainers.0.name'],
    [{ spec: { containers: [SERVER, { name: 'x', ports: [{ containerPort: 9_322 }] }] } }, 'spec.podTemplate.spec.containers.1.ports'],
    [{ spec: { containers: [SERVER], terminationGracePeriodSeconds: 3_659 } }, 'spec.podTemplate.spec.terminationGracePeriodSeconds'],
    [
      { metadata: { labels: { 'cccam.dev/pool': 'x' } }, spec: { containers: [SERVER] } },
      'spec.podTemplate.metadata.labels.cccam.dev/pool',
    ],
    [
      { metadata: { annotations: { 'cccam.dev/port': '1' } }, spec: { containers: [SERVER] } },
      'spec.podTemplate.metadata.annotations.cccam.dev/port',
    ],
  ])('names the place of what contradicts the operator: %j', (template, path) => {
    expect(issues(template).map((issue) => issue.split(': ')[0])).toEqual([path]);
  });

  it('leaves hooks of other containers, and a longer grace period, to the user', () => {
    const other = { name: 'logs', lifecycle: { preStop: { exec: {} } } };
    expect(issues({ spec: { containers: [SERVER, other], terminationGracePeriodSeconds: 3_660 } })).toEqual([]);
  });

  it.each([null, 'text', [], { spec: 7 }, { spec: { containers: 'x' }, metadata: [] }])(
    'reads %j as empty instead of failing',
    (template) => {
      expect(issues(template)).toEqual([]);
    },
  );
});

describe('cccamContainerIndex', () => {
  it('takes the container that names the port, else the first', () => {
    const other = { name: 'logs', ports: [{ containerPort: 80 }] };
    expect(cccamContainerIndex([other, SERVER], 12_000)).toBe(1);
    expect(cccamContainerIndex([other, SERVER], 13_000)).toBe(0);
  });
});
