import * as z from 'zod';
import { readNetwork } from '../../runtime/server-address.ts';
import { celRules, integer, label, oneOf, passThrough } from './grammar.ts';

const network = z
  .string({ error: 'expected a network such as 10.0.0.0/8' })
  .max(49, { error: 'expected a network such as 10.0.0.0/8' })
  .superRefine((text, context) => {
    const reading = readNetwork(text);
    if (reading.kind === 'refused') context.addIssue({ code: 'custom', message: reading.expected });
  })
  .meta({
    description: 'A network such as 10.0.0.0/8, or one address.',
    ...celRules({ rule: 'isCIDR(self) || isIP(self)', message: 'expected a network such as 10.0.0.0/8' }),
  });

const service = z
  .strictObject({
    type: oneOf(['LoadBalancer', 'NodePort', 'ClusterIP'], 'Type of the Service.').default('LoadBalancer'),
    nodePort: integer(1, 65_535, 'Fixed node port.').optional(),
    externalTrafficPolicy: oneOf(
      ['Local', 'Cluster'],
      'Local: clients keep their addresses, and only nodes with a proxy answer. Cluster: every node answers, and clients share its address.',
    ).default('Local'),
    sessionAffinity: oneOf(
      ['None', 'ClientIP'],
      'ClientIP: the cluster sends a client back to the proxy that it had. Some cloud providers refuse a LoadBalancer with it.',
    ).default('None'),
    annotations: z.record(z.string().max(317), z.string().max(4_096)).optional().meta({ description: 'Annotations of the Service.' }),
    loadBalancerClass: z
      .string()
      .max(253)
      .regex(/^[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?$/)
      .optional()
      .meta({ description: 'Class of the load balancer.' }),
  })
  .prefault({});

/** Schema of the proxies. */
export const proxy = z
  .strictObject({
    replicas: integer(1, 20, 'Proxies in front of the servers.').default(2),
    image: z
      .string()
      .min(1)
      .max(512)
      .regex(/^[A-Za-z0-9][A-Za-z0-9._:/@-]*$/, { error: 'expected an image reference' })
      .optional()
      .meta({ description: 'HAProxy image; 2.6 or newer.' }),
    maxConnections: integer(10, 1_000_000, 'Sessions that one proxy can hold.').default(10_000),
    proxyProtocol: z
      .strictObject({
        from: z
          .array(network, { error: 'expected a list of networks' })
          .min(1, { error: 'expected at least one network' })
          .max(64, { error: 'expected at most 64 networks' })
          .meta({ description: 'Networks of the load balancers; headers from elsewhere are ignored.' }),
      })
      .optional()
      .meta({
        description:
          'Load balancers that say who their client is by the PROXY protocol (version 1 or 2): their connections must begin with it. Off unless set.',
      }),
    resources: passThrough('Resources of the HAProxy container.').optional(),
    service,
    nodeSelector: z.record(z.string().max(317), z.string().max(63)).optional().meta({ description: 'Nodes that may run a proxy.' }),
    tolerations: z.array(passThrough('A toleration.')).max(32).optional(),
    affinity: passThrough('Affinity of the proxies.').optional(),
    topologySpreadConstraints: z.array(passThrough('A spread constraint.')).max(8).optional(),
    priorityClassName: label(253, 'Priority class of the proxies.').optional(),
  })
  .prefault({})
  .meta({ description: 'The proxies.' });
