/**
 * Loaded before the program (`node --import`): at each SIGUSR2 it collects its garbage, and writes how many bytes of its heap and of its
 * buffers are left into the file that HEAP_FILE names. Without that, memory tells when the collector ran last, and not what is kept.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

process.on('SIGUSR2', () => {
  const file = process.env['HEAP_FILE'] ?? '';
  collect();
  const { arrayBuffers, heapUsed } = process.memoryUsage();
  writeFileSync(`${file}.draft`, String(heapUsed + arrayBuffers));
  renameSync(`${file}.draft`, file);
});
