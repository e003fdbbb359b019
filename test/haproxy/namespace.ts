import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';

/** What a scene hands back, as its last line of output. */
const MARK = 'scene:';
/** The longest that a scene takes unless it says another time, in milliseconds. */
const LIMIT_MS = 600_000;

/**
 * Plays a scene in namespaces of its own for networks and processes: what it does to addresses, packets and ports is nobody else's affair,
 * and whatever it has begun ends with it.
 *
 * @param scene name of a module in `scenes`
 * @param args what it is told; plain data
 * @param limitMs after which it is ended, in milliseconds
 */
export async function inNamespace<Result>(scene: string, args: Readonly<Record<string, unknown>>, limitMs = LIMIT_MS): Promise<Result> {
  // A shell is the first process in there: it takes leave of those whose parent has ended, as Node.js does not.
  const unshare = ['--net', '--pid', '--fork', '--mount-proc', '--kill-child', '--', 'sh', '-c', '"$@"; exit $?', 'sh'];
  const child = spawn('unshare', [...unshare, process.execPath, 'test/haproxy/scenes/main.ts', scene, JSON.stringify(args)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: limitMs,
    killSignal: 'SIGKILL',
  });
  const ended = new Promise<void>((resolve, reject) => {
    child.once('close', () => resolve());
    child.once('error', reject);
  });
  const [out, errors] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  const line = out.split('\n').findLast((each) => each.startsWith(MARK));
  if (line === undefined) throw new Error(`the scene ${scene} has failed: ${out.slice(-4_000)}\n${errors.slice(-4_000)}`);
  return JSON.parse(line.slice(MARK.length)) as Result;
}
