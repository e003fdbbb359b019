import type { TestProject } from 'vitest/node';
import { type Access, ControlPlane } from './control-plane.ts';
import { prepare } from './test-cluster.ts';

declare module 'vitest' {
  interface ProvidedContext {
    access: Access;
  }
}

/** One control plane for the whole tier; each test has a namespace of its own. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const plane = await ControlPlane.start();
  await prepare(plane.access);
  project.provide('access', plane.access);
  return () => plane.stop();
}
