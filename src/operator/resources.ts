import { API_VERSION, KIND, PLURAL } from '../api/v1alpha1/index.ts';
import type { ResourceType } from '../kube/resource.ts';
import type { ChildKind } from '../pool/child.ts';

/** The kind of object that people write. */
export const POOL: ResourceType = { apiVersion: API_VERSION, kind: KIND, plural: PLURAL };
/** Pods, of backends and of proxies. */
export const POD: ResourceType = { apiVersion: 'v1', kind: 'Pod', plural: 'pods' };
/** What Deployments make their pods with. */
export const REPLICA_SET: ResourceType = { apiVersion: 'apps/v1', kind: 'ReplicaSet', plural: 'replicasets' };

/** Where each kind of child is found. */
export const CHILD_TYPES: Readonly<Record<ChildKind, ResourceType>> = {
  ConfigMap: { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps' },
  ServiceAccount: { apiVersion: 'v1', kind: 'ServiceAccount', plural: 'serviceaccounts' },
  Role: { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', plural: 'roles' },
  RoleBinding: { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding', plural: 'rolebindings' },
  Service: { apiVersion: 'v1', kind: 'Service', plural: 'services' },
  NetworkPolicy: { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', plural: 'networkpolicies' },
  PodDisruptionBudget: { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', plural: 'poddisruptionbudgets' },
  Deployment: { apiVersion: 'apps/v1', kind: 'Deployment', plural: 'deployments' },
};
