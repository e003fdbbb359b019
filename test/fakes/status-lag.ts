import type { DeploymentFacts } from '../../src/pool/child.ts';

/** A Deployment controller that is slow to tell: what was so when it fell behind is what everybody reads. */
export class StatusLag {
  readonly #shown = new Map<string, DeploymentFacts>();

  /** From now on these are shown, however they change. */
  fallBehind(deployments: Iterable<readonly [string, DeploymentFacts]>): void {
    for (const [name, facts] of deployments) this.#shown.set(name, facts);
  }

  catchUp(): void {
    this.#shown.clear();
  }

  /** What is shown of a Deployment. What was asked of it is never late, only what has become of it. */
  shown(name: string, actual: DeploymentFacts): DeploymentFacts {
    const before = this.#shown.get(name);
    if (before === undefined) return actual;
    const { available, total, updated } = before;
    return { ...actual, available, total, updated, observed: before.template === actual.template && before.paused === actual.paused };
  }
}
