import * as z from 'zod';
import { readAddress } from '../../runtime/server-address.ts';
import { celRules, duration, integer, label, oneOf, passThrough, port } from './grammar.ts';

const address = z
  .string({ error: 'expected an IPv4 or IPv6 address' })
  .max(45, { error: 'expected an IPv4 or IPv6 address' })
  .superRefine((text, context) => {
    const reading = readAddress(text, { loopback: true }); // loopback depends on where the pool runs: parse.ts decides
    if (reading.kind === 'refused') context.addIssue({ code: 'custom', message: reading.expected });
  })
  .meta({
    description:
      'IPv4 or IPv6 address of the server. Link-local, multicast and unspecified addresses are refused, names too; in a cluster loopback as well.',
    ...celRules({
      rule: 'isIP(self) && ip(self).isGlobalUnicast()',
      message: 'expected a unicast IPv4 or IPv6 address, not loopback or link-local',
    }),
  });

const capacity = z
  .strictObject({
    cores: integer(1, 1_024, 'CPU cores of the server.').optional(),
    cards: integer(1, 1_024, 'Cards that the server reads.').optional(),
    latencyMs: integer(1, 60_000, 'Milliseconds from the server to its cards.').optional(),
    maxConnections: integer(1, 1_000_000, 'Sessions that the server can hold at once; the default follows the weights.').optional(),
  })
  .meta({ description: 'What the server can do; a missing figure counts as the median of the others, or 1.' });

const backendDrain = z
  .strictObject({
    enabled: z
      .boolean({ error: 'expected true or false' })
      .default(false)
      .meta({ description: 'Whether the server is being drained: no new sessions, old ones stay.' }),
    deadline: duration('1s', '168h', "How long the drain may take; the default is the pool's.").optional(),
  })
  .meta({ description: 'Drains an external server; pods are drained by annotation.' });

/** Schema of a pod template. @param whose what its pods are for */
export const podTemplate = (whose: string) => passThrough(`Pod template of ${whose}, as in a Deployment.`);

/** Schema of how servers are checked. */
export const healthMode = oneOf(
  ['Active', 'Passive'],
  'Active: servers are checked. Passive: no connection is made but for clients, and what they meet decides; for servers that punish frequent connections.',
);

/** Schema of one backend. */
export const backend = z
  .strictObject({
    name: label(32, 'Name of the backend, unique in the pool.'),
    replicas: integer(0, 100, 'Pods of a managed backend; leave it out where an autoscaler owns the count.').optional(),
    external: z
      .strictObject({ address })
      .optional()
      .meta({ description: 'A server that runs elsewhere; leave it out for a managed backend.' }),
    port: port('CCcam port of the server or of the container.').default(12_000),
    capacity: capacity.optional(),
    weight: integer(0, 256, 'Explicit weight; overrides the formula. 0 takes no new sessions.').optional(),
    role: oneOf(['Active', 'Backup'], 'Backup servers take sessions only while no Active server is up.').default('Active'),
    drain: backendDrain.optional(),
    health: z
      .strictObject({ mode: healthMode.optional() })
      .optional()
      .meta({ description: "How the servers of this backend are checked; the default is the pool's." }),
    podTemplate: podTemplate('this backend').optional(),
  })
  .meta({
    ...celRules(
      {
        rule: '!has(self.external) || (!has(self.replicas) && !has(self.podTemplate))',
        message: 'expected either external or replicas and podTemplate, not both',
      },
      { rule: 'has(self.external) || !has(self.drain)', message: 'drain is for external backends; annotate the pods of a managed one' },
    ),
  });
