import { AGENT_IMAGE_ANNOTATION, AGENT_REPLACED_ANNOTATION } from '../api/v1alpha1/index.ts';
import type { AgentPatch } from '../pool/agent-upgrade.ts';
import { Attempts, MANAGER, type Pass } from './pass.ts';
import { writeToPod } from './pod-write.ts';

/**
 * Gives agents another image in their running pods: only their own container restarts.
 *
 * @throws KubeApiError, or an AggregateError of several, for what another try can heal
 */
export async function upgradeAgents(pass: Pass, patches: readonly AgentPatch[]): Promise<void> {
  const attempts = new Attempts();
  for (const patch of patches) await attempts.try(upgrade(pass, patch));
  attempts.finish();
}

async function upgrade(pass: Pass, { container, image, name, replaces, uid }: AgentPatch): Promise<void> {
  const { signal, tools } = pass;
  const metadata = { uid, annotations: { [AGENT_REPLACED_ANNOTATION]: replaces, [AGENT_IMAGE_ANNOTATION]: image } };
  const body = { metadata, spec: { initContainers: [{ name: container, image }] } };
  await writeToPod(pass, name, async (ref) => await tools.client.mergeByName(ref, body, MANAGER, signal));
}
