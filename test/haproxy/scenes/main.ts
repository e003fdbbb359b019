import { run } from './shell.ts';

/** What every scene exports. */
interface Scene {
  play(args: unknown): Promise<unknown>;
}

const [name = '', args = '{}'] = process.argv.slice(2);
await run('ip', 'link', 'set', 'lo', 'up');
const scene = (await import(`./${name}.ts`)) as Scene;
const result = await scene.play(JSON.parse(args));
process.stdout.write(`scene:${JSON.stringify(result ?? null)}\n`, () => process.exit(0));
