import { describe, expect, it } from 'vitest';
import { type AgentFacts, type AgentPod, agentUpgrades } from './agent-upgrade.ts';

const pod = (name: string, agent: Partial<AgentFacts> = {}, terminating = false): AgentPod => ({
  name,
  uid: `uid-${name}`,
  terminatingSince: terminating ? 1 : null,
  agent: { image: 'old', containerId: `${name}-1`, ready: true, replaced: null, ...agent },
});
const names = (pods: readonly AgentPod[], calm = true): string[] =>
  agentUpgrades(pods, { container: 'agent', image: 'new', calm }).map(({ name }) => name);

describe('agentUpgrades', () => {
  it('changes one agent, and the next one only when that one is ready again as another container', () => {
    expect(names([pod('a'), pod('b')])).toEqual(['a']);
    const [patch] = agentUpgrades([pod('a')], { container: 'agent', image: 'new', calm: true });
    expect(patch).toEqual({ name: 'a', uid: 'uid-a', container: 'agent', image: 'new', replaces: 'a-1' });
    const asked = { image: 'new', replaced: 'a-1' };
    expect(names([pod('a', asked), pod('b')])).toEqual([]); // the kubelet has not heard of it yet
    expect(names([pod('a', { ...asked, containerId: 'a-2', ready: false }), pod('b')])).toEqual([]);
    expect(names([pod('a', { ...asked, containerId: 'a-2' }), pod('b')])).toEqual(['b']);
    expect(names([pod('a', { ...asked, containerId: 'a-2' }), pod('b', { image: 'new' })])).toEqual([]);
  });

  it('changes agents that are not ready at once, and those that serve after them', () => {
    expect(names([pod('a'), pod('b', { ready: false, containerId: null }), pod('c', { ready: false })])).toEqual(['b', 'c']);
  });

  it('changes no agent that serves while a pod ends: the next one that is taken away might be that', () => {
    expect(names([pod('a'), pod('b', {}, true)], false)).toEqual([]);
    expect(names([pod('a', { ready: false }), pod('b', {}, true)], false)).toEqual(['a']);
  });

  it('does not wait for a new pod that never becomes ready', () => {
    expect(names([pod('a'), pod('b', { image: 'new', ready: false, containerId: null })])).toEqual(['a']);
  });

  it('leaves pods alone that end, and those without an agent', () => {
    expect(names([pod('a', {}, true), { ...pod('b'), agent: null }])).toEqual([]);
  });
});
