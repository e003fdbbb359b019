export { DURATION_PATTERN, durationMs, durationText } from '../../runtime/duration.ts';
export { type FieldPath, type Issue, isSet, pathText } from './issue.ts';
export * from './names.ts';
export { type ParsedPool, PoolInvalidError, parsePool } from './parse.ts';
export { cccamContainerIndex, containerPorts, graceSeconds, type Json, json, readTemplate } from './pod-template.ts';
export { type CccamPool, cccamPool } from './pool.ts';
export { SPEC_SIZE } from './pool-size.ts';
export type { BackendSpec, Capacity, PoolSpec, PoolSpecInput, Role, WeightPolicy } from './spec.ts';
export type { BackendStatus, Condition, PoolStatus, ServerStateName, ServerStatus } from './status.ts';
