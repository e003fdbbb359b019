import { readdirSync, readFileSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { systemCode } from '../../src/runtime/errors.ts';
import { until } from '../support/until.ts';

/** Preloaded by a process whose heap is measured. */
export const PRELOAD = './test/fakes/heap-on-signal.ts';

const MIB = 1_048_576;

/** What a process keeps: MiB of its heap and buffers after a collection, and how many files and sockets it has open. */
export async function kept(pid: number, heapFile: string): Promise<{ readonly heap: number; readonly files: number }> {
  await rm(heapFile, { force: true });
  process.kill(pid, 'SIGUSR2');
  let text = '';
  const isThere = async (): Promise<boolean> => {
    text = await readFile(heapFile, 'utf8').catch(whenMissing);
    return text !== '';
  };
  await until('the heap is told', isThere, 20_000);
  return { heap: Number(text) / MIB, files: readdirSync(`/proc/${pid}/fd`).length };
}

/** MiB of a process in memory. */
export function residentMib(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1_024;
}

function whenMissing(thrown: unknown): string {
  if (systemCode(thrown) === 'ENOENT') return '';
  throw thrown;
}
