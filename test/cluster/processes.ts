import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive } from '../../src/haproxy/supervisor.ts';
import { until } from '../support/until.ts';

/** A process of this machine, in whatever namespace. */
export interface Process {
  readonly pid: number;
  /** File name of its program. */
  readonly program: string;
  /** Its program and arguments. */
  readonly words: readonly string[];
  /** Names the network namespace that it is in. */
  readonly network: string;
}

export async function processes(): Promise<Process[]> {
  const pids = (await readdir('/proc')).filter((entry) => /^[0-9]+$/.test(entry)).map(Number);
  return await Promise.all(
    pids.map(async (pid) => {
      const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
      return { pid, program: words[0]?.split('/').at(-1) ?? '', words, network: await networkOf(pid) };
    }),
  );
}

/** The network namespace of a process; '' for one that is gone. */
export async function networkOf(pid: number): Promise<string> {
  return await readlink(`/proc/${pid}/ns/net`).catch(() => '');
}

/** Processes in a pod, oldest first. @param word their program, or one of its arguments */
export async function processesOf(uid: string, word: string): Promise<number[]> {
  const found = (await processes()).filter(({ program, words }) => program === word || words.includes(word));
  const inPod = await Promise.all(
    found.map(async ({ pid }) => ((await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '')).includes(uid) ? [pid] : [])),
  );
  return inPod.flat().sort((a, b) => a - b);
}

/** Has a process killed by the kernel for want of memory: somebody else takes what is left in its group. */
export async function runOutOfMemory(pid: number): Promise<void> {
  await writeFile(`/proc/${pid}/oom_score_adj`, '1000');
  const eat = 'const eaten = []; for (;;) eaten.push(Buffer.alloc(1 << 20, 1))';
  const command = 'echo $$ >"$1/cgroup.procs" && exec "$2" -e "$3"';
  const eater = spawn('bash', ['-c', command, 'bash', await memoryGroup(pid), process.execPath, eat], { stdio: 'ignore' });
  try {
    await until('it is killed', () => !isAlive(pid), 30_000);
  } finally {
    eater.kill('SIGKILL');
  }
}

/** Folder of the group that limits the memory of a process, in the new form of the hierarchy or in the old one. */
async function memoryGroup(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/cgroup`, 'utf8');
  const path = (pattern: RegExp): string => pattern.exec(text)?.[1] ?? '';
  return existsSync('/sys/fs/cgroup/cgroup.controllers')
    ? join('/sys/fs/cgroup', path(/^0::(.*)$/m))
    : join('/sys/fs/cgroup/memory', path(/^\d+:memory:(.*)$/m));
}
