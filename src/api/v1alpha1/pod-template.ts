import { durationMs } from '../../runtime/duration.ts';
import { GRACE_AFTER_DEADLINE_MS } from '../../wire/drain-times.ts';
import type { FieldPath, Issue } from './issue.ts';
import {
  AGENT_IMAGE_ANNOTATION,
  AGENT_PORT_ANNOTATION,
  BACKEND_AGENT,
  BACKEND_LABEL,
  GROUP,
  POOL_LABEL,
  PORT_ANNOTATION,
} from './names.ts';

/** Any object of JSON. */
export type Json = Readonly<Record<string, unknown>>;

/**
 * As much of a pod template as the operator looks at. It is the user's, and whether it is right says the API server: what is not of the
 * shape that it should be reads as empty here.
 */
export interface PodTemplate {
  readonly labels: Json;
  readonly annotations: Json;
  /** Null for a template without one. */
  readonly spec: Json | null;
  readonly containers: readonly Json[];
  readonly initContainers: readonly Json[];
}

/** Reads a pod template, whatever it is. */
export function readTemplate(template: unknown): PodTemplate {
  const { metadata, spec } = json(template);
  const { annotations, labels } = json(metadata);
  const { containers, initContainers } = json(spec);
  return {
    labels: json(labels),
    annotations: json(annotations),
    spec: spec === undefined ? null : json(spec),
    containers: list(containers),
    initContainers: list(initContainers),
  };
}

/** Which container is the CCcam server: the one that names its port, else the first. */
export function cccamContainerIndex(containers: readonly Json[], port: number): number {
  return Math.max(
    0,
    containers.findIndex((container) => ports(container).includes(port)),
  );
}

/** An object of JSON, or an empty one for anything else. */
export function json(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

function list(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.map(json) : [];
}

/** TCP ports that a container names; whatever is none is left out. */
export function containerPorts(container: Json): number[] {
  return ports(container).filter((port): port is number => Number.isInteger(port) && (port as number) >= 1 && (port as number) <= 65_535);
}

function ports(container: Json): readonly unknown[] {
  return list(container['ports']).map((port) => port['containerPort']);
}

/** Grace period that a pod needs, in seconds. @param deadline of its drain, a duration */
export function graceSeconds(deadline: string): number {
  return Math.ceil((durationMs(deadline) + GRACE_AFTER_DEADLINE_MS) / 1_000);
}

/** What the operator itself sets on pods; a template that sets it too would have to lose. */
const OURS = [POOL_LABEL, BACKEND_LABEL, `${GROUP}/component`, PORT_ANNOTATION, AGENT_PORT_ANNOTATION, AGENT_IMAGE_ANNOTATION];

/**
 * What in a pod template contradicts what the operator puts into it: an agent that waits for the sessions before the pod ends.
 *
 * @param port CCcam port of the backend
 * @param deadline of a drain, a duration
 * @param path where the template stands
 */
export function* templateIssues(template: unknown, port: number, deadline: string, path: FieldPath): Generator<Issue> {
  const { annotations, containers, initContainers, labels, spec } = readTemplate(template);
  yield* containerIssues(containers, [...path, 'spec', 'containers']);
  yield* containerIssues(initContainers, [...path, 'spec', 'initContainers']);
  const server = cccamContainerIndex(containers, port);
  if (json(containers[server]?.['lifecycle'])['preStop'] !== undefined) {
    const message = 'expected no preStop on the CCcam server: the operator sets one that waits until its sessions are gone, so take it out';
    yield { path: [...path, 'spec', 'containers', server, 'lifecycle', 'preStop'], message };
  }
  const grace = spec?.['terminationGracePeriodSeconds'];
  const needed = graceSeconds(deadline);
  if (typeof grace === 'number' && grace < needed) {
    const message = `expected at least ${needed}, the drain's deadline and a minute, for a pod must not end before its drain: raise it, or leave it out`;
    yield { path: [...path, 'spec', 'terminationGracePeriodSeconds'], message };
  }
  for (const [field, names] of [
    ['labels', labels],
    ['annotations', annotations],
  ] as const) {
    for (const name of OURS.filter((each) => Object.hasOwn(names, each)))
      yield { path: [...path, 'metadata', field, name], message: 'expected another name: the operator sets this one. Take it out' };
  }
}

function* containerIssues(containers: readonly Json[], path: FieldPath): Generator<Issue> {
  const { name, port } = BACKEND_AGENT;
  for (const [index, container] of containers.entries()) {
    if (container['name'] === name)
      yield { path: [...path, index, 'name'], message: `expected another name than ${name}, the operator's own container: rename it` };
    if (ports(container).includes(port))
      yield {
        path: [...path, index, 'ports'],
        message: `expected another port than ${port}, that of the operator's own container: choose one`,
      };
  }
}
