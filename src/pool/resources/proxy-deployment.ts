import type { V1Container, V1Deployment, V1PodSecurityContext, V1PodSpec, V1PodTemplateSpec, V1Volume } from '@kubernetes/client-node';
import {
  AGENT_IMAGE_ANNOTATION,
  durationMs,
  graceSeconds,
  type PoolSpec,
  PROXY_AGENT,
  PROXY_PORT,
  TEMPLATE_ANNOTATION,
} from '../../api/v1alpha1/index.ts';
import { ANY_ADDRESS } from '../../runtime/server-address.ts';
import { preStopHook } from '../../wire/pre-stop.ts';
import { type Child, type ChildOf, contentName } from '../child.ts';
import { CONTAINER_SECURITY, NODE_ADDRESS } from './agent-container.ts';
import { ANY_IMAGE, type NewPods, progressDeadlineSeconds, REVISION_HISTORY } from './deployment.ts';
import { childMetadata, labels, type PoolIdentity, proxyName, selector } from './identity.ts';
import type { ClusterSettings } from './settings.ts';

/** Folder that HAProxy and its agent share: configuration and control sockets. In memory, and of this pod alone. */
export const RUN_FOLDER = '/run/cccam';
const TOKEN_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';
const CONFIG_FOLDER = '/etc/cccam';
/** The user that the official HAProxy image names; a number, because a name does not prove that it is not root. */
const HAPROXY_USER = 99;
const LOCAL_PORTS = '16384 65535';

/**
 * The proxies of a pool: HAProxy without a token, and its agent beside it, which begins before HAProxy and ends after it.
 */
export function proxyDeployment(pool: PoolIdentity, spec: PoolSpec, settings: ClusterSettings, { agentImage, name }: NewPods): Child {
  const { proxy } = spec;
  const metadata = childMetadata(pool, proxyName(pool), 'proxy');
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { ...metadata, annotations: { [TEMPLATE_ANNOTATION]: name } },
    spec: {
      replicas: proxy.replicas,
      revisionHistoryLimit: REVISION_HISTORY,
      progressDeadlineSeconds: progressDeadlineSeconds(spec),
      selector: { matchLabels: selector(pool, 'proxy') },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: podTemplate(pool, spec, settings, agentImage),
    },
  } satisfies ChildOf<'Deployment', V1Deployment>;
}

/** Name of the pod template that the proxies should have. */
export function proxyTemplateName(pool: PoolIdentity, spec: PoolSpec, settings: ClusterSettings): string {
  return contentName(podTemplate(pool, spec, settings, ANY_IMAGE));
}

function podTemplate(pool: PoolIdentity, spec: PoolSpec, settings: ClusterSettings, agentImage: string): V1PodTemplateSpec {
  return {
    metadata: { labels: labels(pool, 'proxy'), annotations: { [AGENT_IMAGE_ANNOTATION]: agentImage } },
    spec: {
      serviceAccountName: proxyName(pool),
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      ...NOTHING_OF_THE_HOST,
      terminationGracePeriodSeconds: graceSeconds(spec.drain.deadline),
      securityContext: podSecurity(),
      ...scheduling(pool, spec),
      initContainers: [agentContainer(pool, agentImage)],
      containers: [haproxyContainer(spec, settings)],
      volumes: volumes(pool),
    },
  };
}

/** Said, so that what others write there is taken back. */
const NOTHING_OF_THE_HOST = { hostNetwork: false, hostPID: false, hostIPC: false, shareProcessNamespace: false } as const;

function podSecurity(): V1PodSecurityContext {
  return {
    runAsNonRoot: true,
    runAsUser: HAPROXY_USER,
    runAsGroup: HAPROXY_USER,
    fsGroup: HAPROXY_USER,
    seccompProfile: { type: 'RuntimeDefault' },
    // One of the few that the restricted profile allows. By default there are 28 000 ports for each server, above those that we listen on.
    sysctls: [{ name: 'net.ipv4.ip_local_port_range', value: LOCAL_PORTS }],
  };
}

function haproxyContainer(spec: PoolSpec, settings: ClusterSettings): V1Container {
  const call = { deadlineMs: durationMs(spec.drain.deadline), close: spec.drain.onDeadline === 'Close' };
  return {
    name: 'haproxy',
    image: spec.proxy.image ?? settings.haproxyImage,
    command: ['haproxy', '-W', '-db', '-S', `${RUN_FOLDER}/master.sock,mode,600`, '-f', `${RUN_FOLDER}/haproxy.cfg`],
    ports: [{ name: 'cccam', containerPort: PROXY_PORT, protocol: 'TCP' }],
    // Its sessions end first; when HAProxy is told to stop, there are none left to cut off.
    lifecycle: { preStop: preStopHook(call, PROXY_AGENT.port) },
    ...(spec.proxy.resources === undefined ? {} : { resources: spec.proxy.resources }),
    securityContext: CONTAINER_SECURITY,
    volumeMounts: [{ name: 'run', mountPath: RUN_FOLDER }],
  };
}

/** A native sidecar: an init container that goes on, so that its file is there before HAProxy begins and it still counts when HAProxy ends. */
function agentContainer(pool: PoolIdentity, image: string): V1Container {
  // A node that is busy must not take a proxy out that serves.
  const probe = (path: string) => ({ httpGet: { path, port: 'agent' }, timeoutSeconds: 3 });
  return {
    name: PROXY_AGENT.name,
    image,
    restartPolicy: 'Always',
    args: [
      'proxy-agent',
      '--config-map',
      proxyName(pool),
      '--run-dir',
      RUN_FOLDER,
      '--mounted',
      CONFIG_FOLDER,
      '--http',
      `[${ANY_ADDRESS}]:${PROXY_AGENT.port}`,
    ],
    env: [NODE_ADDRESS],
    ports: [{ name: 'agent', containerPort: PROXY_AGENT.port, protocol: 'TCP' }],
    startupProbe: { ...probe('/startz'), periodSeconds: 1, failureThreshold: 120 },
    readinessProbe: { ...probe('/readyz'), periodSeconds: 2 },
    livenessProbe: { ...probe('/healthz'), periodSeconds: 10, failureThreshold: 6 },
    resources: { requests: { cpu: '10m', memory: '64Mi' }, limits: { memory: '128Mi' } },
    securityContext: CONTAINER_SECURITY,
    volumeMounts: [
      { name: 'run', mountPath: RUN_FOLDER },
      { name: 'config', mountPath: CONFIG_FOLDER, readOnly: true },
      { name: 'token', mountPath: TOKEN_FOLDER, readOnly: true },
    ],
  };
}

function volumes(pool: PoolIdentity): V1Volume[] {
  return [
    { name: 'run', emptyDir: { medium: 'Memory', sizeLimit: '16Mi' } },
    { name: 'config', configMap: { name: proxyName(pool) } },
    {
      name: 'token',
      projected: {
        sources: [
          { serviceAccountToken: { path: 'token', expirationSeconds: 3_600 } },
          { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
          { downwardAPI: { items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }] } },
        ],
      },
    },
  ];
}

function scheduling(pool: PoolIdentity, spec: PoolSpec): Partial<V1PodSpec> {
  const { nodeSelector, tolerations, affinity, topologySpreadConstraints, priorityClassName } = spec.proxy;
  const spread = { maxSkew: 1, topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'ScheduleAnyway' };
  return {
    ...(nodeSelector === undefined ? {} : { nodeSelector }),
    ...(tolerations === undefined ? {} : { tolerations }),
    ...(affinity === undefined ? {} : { affinity }),
    ...(priorityClassName === undefined ? {} : { priorityClassName }),
    topologySpreadConstraints: topologySpreadConstraints ?? [{ ...spread, labelSelector: { matchLabels: selector(pool, 'proxy') } }],
  } as unknown as Partial<V1PodSpec>; // what a person wrote: the API server knows its fields, and says what it does not know
}
