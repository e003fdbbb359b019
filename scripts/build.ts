/** Bundles the program into dist/: one entry, a chunk per subcommand, so that each process loads only what it needs. */
import { rm, stat } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { build, type Plugin } from 'esbuild';

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

/** The unused push gateway client loads https, tls and zlib: a sixteenth of an agent. */
let leftOut = false;
const leaveOut: Plugin = {
  name: 'leave-out',
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^\.\/lib\/pushgateway$/ }, ({ path }) => {
      leftOut = true;
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
if (!leftOut) throw new Error('prom-client no longer loads lib/pushgateway: find what loads https, tls and zlib now');
const sizes = Object.keys(result.metafile.outputs).filter((path) => path.endsWith('.js'));
let bytes = 0;
for (const path of sizes) bytes += (await stat(path)).size;
console.log(`dist: ${sizes.length} files, ${Math.round(bytes / 1_024)} KiB`);
