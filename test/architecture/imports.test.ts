import { readdir, readFile } from 'node:fs/promises';
import { dirname, join, normalize, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

/** What each folder of src may import of the others; and which packages. A missing line is a decision to take, not a detail. */
const MAY_IMPORT: Readonly<Record<string, { readonly folders: readonly string[]; readonly packages: readonly string[] }>> = {
  'main.ts': { folders: ['cli', 'runtime'], packages: [] },
  cli: { folders: ['standalone', 'simulate', 'operator', 'proxy-agent', 'backend-agent', 'runtime'], packages: ['commander'] },
  api: { folders: ['runtime', 'wire'], packages: ['zod', 'fastest-levenshtein'] },
  // Types only: a test below sees to that.
  pool: { folders: ['api', 'haproxy', 'wire', 'runtime'], packages: ['@kubernetes/client-node'] },
  haproxy: { folders: ['runtime'], packages: [] },
  proxy: { folders: ['haproxy', 'wire', 'runtime'], packages: ['prom-client'] },
  standalone: { folders: ['api', 'pool', 'haproxy', 'proxy', 'wire', 'runtime'], packages: ['yaml', 'zod', 'cli-table3', 'log-update'] },
  kube: { folders: ['runtime'], packages: ['@kubernetes/client-node'] },
  operator: { folders: ['api', 'pool', 'kube', 'wire', 'runtime'], packages: ['prom-client'] },
  'proxy-agent': { folders: ['haproxy', 'kube', 'wire', 'proxy', 'runtime'], packages: [] },
  'backend-agent': { folders: ['wire', 'runtime'], packages: ['prom-client'] },
  wire: { folders: ['haproxy', 'runtime'], packages: ['zod/mini'] },
  simulate: { folders: ['runtime'], packages: [] },
  // Outside of src: the manifest, for the version.
  runtime: { folders: ['..'], packages: ['pino'] },
};
/** Files of runtime that pure and dependency-free folders may use; they import nothing themselves. */
const LEAVES = [
  'errors',
  'clock',
  'digest',
  'duration',
  'host-port',
  'json-size',
  'json-text',
  'rfc3339',
  'lines',
  'printable',
  'server-address',
  'stream-limits',
].map((name) => `runtime/${name}.ts`);
/** The only files of haproxy that the rules may see. */
const MODEL = [
  'haproxy/model.ts',
  'haproxy/observation.ts',
  'haproxy/render.ts',
  'haproxy/health/health-state.ts',
  'haproxy/health/health-words.ts',
];
/** Plain data in, plain data out: no input, no output, no clock, no chance. */
const PURE = [
  /^pool\//,
  /^wire\//,
  /^backend-agent\/backend-state\.ts$/,
  /^proxy-agent\/effective-config\.ts$/,
  /^haproxy\/(model|render|diff|command|token|actual|observation|pace|effective|drift|make-before-break)\.ts$/,
  /^haproxy\/health\/(activity|client-error-counts|fullness|health-event|health-state|health-words|learned-limit|panic|schedule|server-health|session-totals|watched-server)\.ts$/,
];
const IMPURE_MODULES = [
  'node:fs',
  'node:fs/promises',
  'node:net',
  'node:http',
  'node:child_process',
  'node:timers',
  'node:timers/promises',
  'node:os',
  'node:process',
];

interface SourceFile {
  readonly path: string;
  readonly text: string;
  readonly imports: readonly string[];
}

const files: SourceFile[] = [];
for (const entry of await readdir('src', { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !entry.name.endsWith('.ts') || entry.name.endsWith('.test.ts')) continue;
  const full = join(entry.parentPath, entry.name);
  const text = await readFile(full, 'utf8');
  const imports = [...text.matchAll(/^(?:import|export|\}) .*from '([^']+)'|import\('([^']+)'\)/gm)].map(
    (match) => match[1] ?? match[2] ?? '',
  );
  files.push({ path: relative('src', full), text, imports });
}

function folderOf(path: string): string {
  return path.split('/')[0] ?? path;
}

function target(file: SourceFile, specifier: string): string {
  return normalize(join(dirname(file.path), specifier));
}

describe('imports', () => {
  it('go only where the source map says', () => {
    for (const file of files) {
      const rule = MAY_IMPORT[folderOf(file.path)];
      expect(rule, `${file.path} is in a folder without a rule`).toBeDefined();
      for (const specifier of file.imports) {
        if (specifier.startsWith('node:')) continue;
        if (!specifier.startsWith('.')) {
          expect(rule?.packages, `${file.path} imports ${specifier}`).toContain(specifier);
          continue;
        }
        const folder = folderOf(target(file, specifier));
        if (folder !== folderOf(file.path)) expect(rule?.folders, `${file.path} imports ${specifier}`).toContain(folder);
      }
    }
  });

  it('of runtime from api, pool, haproxy and wire are leaves that import nothing', () => {
    for (const file of files) {
      const local = file.imports.filter((specifier) => specifier.startsWith('.')).map((specifier) => target(file, specifier));
      if (LEAVES.includes(file.path)) expect(local, file.path).toEqual([]);
      if (!['api', 'pool', 'haproxy', 'wire'].includes(folderOf(file.path))) continue;
      for (const path of local.filter((each) => each.startsWith('runtime/')))
        expect(LEAVES, `${file.path} imports ${path}`).toContain(path);
    }
  });

  it('of haproxy from the rules are the model only', () => {
    for (const file of files.filter((each) => folderOf(each.path) === 'pool')) {
      const local = file.imports.filter((specifier) => specifier.startsWith('.')).map((specifier) => target(file, specifier));
      for (const path of local.filter((each) => each.startsWith('haproxy/'))) expect(MODEL, `${file.path} imports ${path}`).toContain(path);
    }
  });

  it('of packages from the rules are types only', () => {
    for (const file of files.filter((each) => folderOf(each.path) === 'pool')) {
      for (const line of file.text.split('\n').filter((each) => /^(import|export) .*from '[^.]/.test(each)))
        expect(line).toMatch(/^import type /);
    }
  });

  it('keep the core pure: no I/O, no clock, no chance', () => {
    for (const file of files.filter((each) => PURE.some((pattern) => pattern.test(each.path)))) {
      for (const specifier of file.imports) expect(IMPURE_MODULES, `${file.path} imports ${specifier}`).not.toContain(specifier);
      expect(file.text, file.path).not.toMatch(/Date\.now|new Date\(\)|performance\.now|Math\.random|process\.env/);
    }
  });

  it('have no way back: no folder imports one that imports it', () => {
    const edges = new Map(Object.entries(MAY_IMPORT).map(([folder, rule]) => [folder, rule.folders]));
    const visit = (folder: string, trail: readonly string[]): void => {
      expect(trail, [...trail, folder].join(' -> ')).not.toContain(folder);
      for (const next of edges.get(folder) ?? []) visit(next, [...trail, folder]);
    };
    for (const folder of edges.keys()) visit(folder, []);
  });
});

describe('sources', () => {
  it('stay small enough to be read at once', async () => {
    const lengths = files.map((file) => file.text.split('\n').length).sort((a, b) => a - b);
    expect(lengths[Math.floor(lengths.length * 0.9)]).toBeLessThanOrEqual(250);
    expect(lengths[Math.floor(lengths.length / 2)]).toBeLessThanOrEqual(120);
  });

  it('and tests have no file above 300 lines', async () => {
    for (const folder of ['src', 'test', 'scripts']) {
      for (const path of await readdir(folder, { recursive: true })) {
        if (!path.endsWith('.ts')) continue;
        const text = await readFile(join(folder, path), 'utf8');
        expect(text.trimEnd().split('\n').length, path).toBeLessThanOrEqual(300);
      }
    }
  });

  it('leave nothing behind: no any, no non-null assertion, no ignored rule, no unfinished note', () => {
    for (const file of files) {
      expect(file.text, file.path).not.toMatch(
        /\bas any\b|: any\b|@ts-(ignore|expect-error)|biome-ignore|\bTO(?:DO)\b|FIX(?:ME)|\bXX(?:X)\b/,
      );
      expect(file.text, file.path).not.toMatch(/catch\s*(\([^)]*\))?\s*\{\s*\}/);
    }
  });

  it('explain every exported function, class, type and constant', () => {
    for (const file of files) {
      const lines = file.text.split('\n');
      for (const [index, line] of lines.entries()) {
        if (!/^export (async )?(function|class|interface|type|const) (?!\{)/.test(line)) continue;
        expect(lines[index - 1] ?? '', `${file.path}:${index + 1} ${line}`).toMatch(/\*\/\s*$/);
      }
    }
  });
});
