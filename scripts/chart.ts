import { isMap, isScalar, parse, parseDocument, stringify, type YAMLMap } from 'yaml';

/** A value of the chart, as `values.yaml` describes it. */
interface Value {
  readonly path: string;
  readonly fallback: unknown;
  readonly description: string;
}

const NAMESPACES = { items: { type: 'string', pattern: '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$' }, uniqueItems: true } as const;
/** No space and no line break: an image must not be able to become another field. */
const IMAGE = { pattern: '^[A-Za-z0-9][A-Za-z0-9._:/@-]*$' } as const;
/** What the type of the default does not say. */
const CONSTRAINTS: Readonly<Record<string, object>> = {
  'image.repository': IMAGE,
  haproxyImage: IMAGE,
  'image.tag': { pattern: '^[A-Za-z0-9._-]*$' },
  'image.pullPolicy': { enum: ['Always', 'IfNotPresent', 'Never'] },
  'image.pullSecrets': { items: { type: 'string', minLength: 1 } },
  replicas: { minimum: 0, maximum: 10 },
  watchNamespaces: NAMESPACES,
  'metrics.namespaces': NAMESPACES,
  'policy.serviceTypes': { items: { enum: ['LoadBalancer', 'NodePort', 'ClusterIP'] }, minItems: 1, uniqueItems: true },
  'policy.serviceAnnotations': { type: ['array', 'null'], items: { type: 'string', pattern: '^[A-Za-z0-9._/-]+$' } },
  'policy.refusedNetworks': { items: { type: 'string', pattern: '^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$' } },
  logLevel: { enum: ['debug', 'info', 'warn', 'error'] },
  callsPerSecond: { minimum: 1, maximum: 10_000 },
  workers: { minimum: 1, maximum: 100 },
  nodeOptions: { pattern: '^[^\\n]*$' },
  'networkPolicy.apiServerPorts': { items: { type: 'integer', minimum: 1, maximum: 65_535 }, minItems: 1 },
  'metrics.podMonitor.interval': { pattern: '^[1-9][0-9]*(ms|s|m|h)$' },
};

/** Files of the chart that are made of others. @param values text of `values.yaml` @param rbac text of the operator's roles @param crd of the CRD */
export function chartFiles(values: string, rbac: string, crd: string): Readonly<Record<string, string>> {
  const rows = [...described(parseDocument(values).contents as YAMLMap, [])];
  return {
    'charts/cccam-operator/README.md': readme(rows),
    'charts/cccam-operator/values.schema.json': `${JSON.stringify(schema(parse(values), rows), null, 2)}\n`,
    'charts/cccam-operator/files/rules.yaml': rules(rbac),
    'charts/cccam-operator/files/crd.yaml': crd,
  };
}

/** Every value with a description, in the order of the file. @throws Error for one without */
function* described(map: YAMLMap, path: readonly string[]): Generator<Value> {
  for (const [index, { key, value }] of map.items.entries()) {
    if (!isScalar(key)) throw new Error('a key of values.yaml is no text');
    const name = [...path, String(key.value)];
    // What stands before the first key of a map belongs, for the parser, to the map.
    const comment = key.commentBefore ?? (index === 0 ? map.commentBefore : undefined) ?? '';
    const description = comment
      .split('\n')
      .filter((line) => line.startsWith('#'))
      .map((line) => line.slice(1).trim())
      .join(' ');
    if (description !== '') {
      const node = value as { toJSON(): unknown };
      yield { path: name.join('.'), fallback: node.toJSON(), description };
    } else if (isMap(value)) yield* described(value, name);
    else throw new Error(`${name.join('.')} in values.yaml has no description`);
  }
}

function readme(rows: readonly Value[]): string {
  const lines = rows.map(({ description, fallback, path }) => `| \`${path}\` | \`${JSON.stringify(fallback)}\` | ${description} |`);
  return [
    '# cccam-operator',
    '',
    'Generated from `values.yaml` by `make generate`; do not edit.',
    '',
    'The operator for pools of CCcam-protocol servers: `kubectl apply` a `CccamPool`, and clients have one address.',
    '',
    '```console',
    '$ helm install cccam-operator charts/cccam-operator --namespace cccam-system --create-namespace --wait',
    '$ helm test cccam-operator --namespace cccam-system --logs',
    '```',
    '',
    'It runs in a namespace that enforces the restricted profile of Pod Security. `helm uninstall` leaves the custom resource and every',
    'pool, which keep serving; an installation under the same name takes them over again. `crds.keep=false` removes them, too.',
    '',
    'To upgrade, `helm upgrade` with the new chart: the custom resource comes with it, agents are changed in the running pods, and no',
    'session is cut off.',
    '',
    '| value | default | what |',
    '|---|---|---|',
    ...lines,
    '',
  ].join('\n');
}

function schema(values: unknown, rows: readonly Value[]): object {
  const byPath = new Map(rows.map((row) => [row.path, row]));
  const root = { $schema: 'https://json-schema.org/draft-07/schema#', title: 'Values of cccam-operator' };
  return { ...root, ...section(values as Record<string, unknown>, [], byPath, ['global']) };
}

/** @param extra keys that Helm itself may put there */
function section(
  values: Readonly<Record<string, unknown>>,
  path: readonly string[],
  rows: ReadonlyMap<string, Value>,
  extra: readonly string[] = [],
): object {
  const properties = Object.entries(values).map(([key, value]) => {
    const name = [...path, key].join('.');
    const row = rows.get(name);
    if (row === undefined) return [key, section(value as Record<string, unknown>, [...path, key], rows)];
    return [key, { description: row.description, type: typeOf(value), ...CONSTRAINTS[name] }];
  });
  return {
    type: 'object',
    additionalProperties: false,
    properties: { ...Object.fromEntries(properties), ...Object.fromEntries(extra.map((key) => [key, {}])) },
  };
}

function typeOf(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  return Number.isInteger(value) ? 'integer' : typeof value;
}

/** The rules of each role, by the name that the chart's templates know. */
function rules(rbac: string): string {
  const roles = rbac.split(/^---$/m).map((text) => parse(text) as { metadata: { name: string }; rules: unknown });
  const of = (name: string): unknown => roles.find((role) => role.metadata.name === name)?.rules;
  const made = { operator: of('cccam-operator-by-hand'), lease: of('cccam-operator-by-hand-lease') };
  return `# Generated from config/rbac/operator.yaml by \`make generate\`; do not edit.\n${stringify(made)}`;
}
