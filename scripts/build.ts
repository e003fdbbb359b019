/** Bundles the program into dist/: one entry, a chunk per subcommand, so that each process loads only what it needs. */
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { build, type Plugin } from 'esbuild';
import { bundledPackages, noticesText, sbomText } from './notices.ts';

/**
 * Node's own modules are required, not imported: an import reads every export once, and with those of `http` alone it loads a browser's
 * fetch, which costs an agent a tenth of its memory.
 */
const requireBuiltins: Plugin = {
  name: 'require-builtins',
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /./ }, ({ kind, path }) =>
      isBuiltin(path) && kind !== 'require-call' ? { path, namespace: 'builtin' } : undefined,
    );
    onLoad({ filter: /./, namespace: 'builtin' }, ({ path }) => ({ contents: `module.exports = require(${JSON.stringify(path)})` }));
  },
};

/**
 * What is never called: the push gateway client of prom-client loads https, tls and zlib, a sixteenth of an agent; jsonpath-plus is for a way
 * to log in (gcp) that Kubernetes has not had since 1.26, and evaluates expressions.
 */
const NEVER = /^\.\/lib\/pushgateway$|^jsonpath-plus$/;
const leftOut = new Set<string>();
const leaveOut: Plugin = {
  name: 'leave-out',
  setup({ onLoad, onResolve }) {
    onResolve({ filter: NEVER }, ({ path }) => {
      leftOut.add(path);
      return { path, namespace: 'left-out' };
    });
    onLoad({ filter: /./, namespace: 'left-out' }, () => ({ contents: 'module.exports = undefined' }));
  },
};

await rm('dist', { recursive: true, force: true });
const result = await build({
  entryPoints: ['src/main.ts'],
  outdir: 'dist',
  bundle: true,
  splitting: true,
  minify: true,
  sourcemap: 'linked',
  format: 'esm',
  platform: 'node',
  target: 'node24',
  metafile: true,
  plugins: [requireBuiltins, leaveOut],
  legalComments: 'none',
  // Dependencies that are still CommonJS call require(); an ES module has none of its own.
  banner: { js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);" },
});
if (leftOut.size !== 2) throw new Error(`only ${[...leftOut].join(', ')} was left out: find where the rest is now`);
const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };
const packages = await bundledPackages(Object.keys(result.metafile.inputs));
await writeFile('dist/THIRD-PARTY-NOTICES.txt', noticesText(packages));
await writeFile('dist/sbom.cdx.json', sbomText(version, packages));
const sizes = Object.keys(result.metafile.outputs).filter((path) => path.endsWith('.js'));
let bytes = 0;
for (const path of sizes) bytes += (await stat(path)).size;
console.log(`dist: ${sizes.length} files, ${Math.round(bytes / 1_024)} KiB`);
