import { type SchemaNode, structural } from './crd.ts';
import { API_VERSION, CONDITION_REASONS, CONDITION_TYPES, KIND } from './names.ts';
import { poolSpec } from './spec.ts';
import { poolStatus } from './status.ts';

/** The field reference in Markdown, made from the schema. */
export function referenceMarkdown(): string {
  return [
    `# ${KIND} (\`${API_VERSION}\`)`,
    '',
    'Generated from the schema by `make generate`; do not edit.',
    '',
    '## spec',
    '',
    ...fieldTable(structural(poolSpec), 'spec'),
    '',
    '## status',
    '',
    ...fieldTable(structural(poolStatus), 'status'),
    '',
    '## Conditions',
    '',
    `Types: ${CONDITION_TYPES.map((type) => `\`${type}\``).join(', ')}. \`Ready\` is the one to wait for.`,
    '',
    '| reason | meaning |',
    '|---|---|',
    ...Object.entries(CONDITION_REASONS).map(([reason, meaning]) => `| \`${reason}\` | ${meaning} |`),
    '',
  ].join('\n');
}

function fieldTable(root: SchemaNode, path: string): string[] {
  return ['| field | type | default | meaning |', '|---|---|---|---|', ...rows(root, path)];
}

function rows(node: SchemaNode, path: string): string[] {
  const properties = (node['properties'] ?? {}) as Record<string, SchemaNode>;
  return Object.entries(properties).flatMap(([key, child]) => {
    const here = `${path}.${key}`;
    const items = child['items'] as SchemaNode | undefined;
    const row = `| \`${here}${items === undefined ? '' : '[]'}\` | ${typeText(child)} | ${defaultText(child)} | ${meaning(child)} |`;
    return [row, ...rows(items ?? child, items === undefined ? here : `${here}[]`)];
  });
}

function typeText(node: SchemaNode): string {
  if (Array.isArray(node['enum'])) return node['enum'].map((word) => `\`${String(word)}\``).join(' ');
  return String(node['type'] ?? '');
}

function defaultText(node: SchemaNode): string {
  const value = node['default'];
  return value === undefined || typeof value === 'object' ? '' : `\`${String(value)}\``;
}

function meaning(node: SchemaNode): string {
  const rules = (node['x-kubernetes-validations'] ?? []) as { message: string }[];
  const extra = node['type'] === 'string' ? [] : rules.map((rule) => `Rule: ${rule.message}.`);
  return [node['description'] ?? '', ...extra].join(' ').trim().replaceAll('|', '\\|');
}
