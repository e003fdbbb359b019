import * as z from 'zod';
import { API_VERSION, GROUP, KIND, PLURAL, SHORT_NAME, SINGULAR, VERSION } from './names.ts';
import { POOL_NAME_MAX } from './pool.ts';
import { poolSpec } from './spec.ts';
import { poolStatus } from './status.ts';

/** A JSON schema node as it is worked on; plain data of unknown depth. */
export type SchemaNode = { [key: string]: unknown };

const PRINTER_COLUMNS = [
  { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
  { name: 'Backends', type: 'string', jsonPath: '.status.summary' },
  { name: 'Sessions', type: 'integer', jsonPath: '.status.sessions' },
  { name: 'Draining', type: 'integer', jsonPath: '.status.draining' },
  { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  { name: 'Reason', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].reason', priority: 1 },
  { name: 'Address', type: 'string', jsonPath: '.status.address', priority: 1 },
];

/** The CustomResourceDefinition, made from the schema and from nothing else. */
export function customResourceDefinition(): SchemaNode {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${PLURAL}.${GROUP}` },
    spec: {
      group: GROUP,
      names: { kind: KIND, listKind: `${KIND}List`, plural: PLURAL, singular: SINGULAR, shortNames: [SHORT_NAME], categories: ['cccam'] },
      scope: 'Namespaced',
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: PRINTER_COLUMNS,
          schema: { openAPIV3Schema: rootSchema() },
        },
      ],
    },
  };
}

function rootSchema(): SchemaNode {
  return {
    type: 'object',
    description: `A pool of CCcam-protocol servers behind one address (${API_VERSION}).`,
    required: ['spec'],
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: { type: 'object' },
      spec: structural(poolSpec),
      status: structural(poolStatus),
    },
    'x-kubernetes-validations': [
      {
        rule: `self.metadata.name.size() <= ${POOL_NAME_MAX} && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')`,
        message: `expected a name of at most ${POOL_NAME_MAX} lower-case letters, digits and dashes`,
      },
    ],
  };
}

/** One part of the schema in the form that the API server takes: a structural schema. */
export function structural(schema: z.ZodType): SchemaNode {
  const { $schema: _, ...node } = z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input' }) as SchemaNode;
  return clean(node);
}

const FORBIDDEN = ['$ref', 'allOf', 'anyOf', 'oneOf', 'not'];

/** Makes a node structural, and stops at what the API server would refuse or silently drop. */
function clean(node: SchemaNode): SchemaNode {
  for (const key of FORBIDDEN) {
    if (key in node) throw new Error(`the schema uses ${key}, which a structural schema cannot hold`);
  }
  const { additionalProperties, ...kept } = node;
  const result: SchemaNode = { ...kept };
  // `false` beside properties is refused by the API server, which prunes unknown fields anyway; `{}` says nothing.
  if (isNode(additionalProperties) && Object.keys(additionalProperties).length > 0)
    result['additionalProperties'] = clean(additionalProperties);
  if (result['type'] === 'integer') Object.assign(result, integerBounds(result));
  if (isNode(result['items'])) result['items'] = clean(result['items']);
  if (isNode(result['properties'])) {
    result['properties'] = Object.fromEntries(
      Object.entries(result['properties']).map(([key, child]) => [key, isNode(child) ? clean(child) : child]),
    );
  }
  return result;
}

/** Every whole number here fits 32 bits; JavaScript's own bounds of safe integers say nothing to a reader. */
function integerBounds(node: SchemaNode): SchemaNode {
  if (node['maximum'] === Number.MAX_SAFE_INTEGER) delete node['maximum'];
  if (node['minimum'] === Number.MIN_SAFE_INTEGER) delete node['minimum'];
  return { format: 'int32' };
}

function isNode(value: unknown): value is SchemaNode {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
