/**
 * Loaded before the program (`node --import`): lets it send CRASH_AT_WRITE - 1 writes to the API server, and dies like by kill -9 in
 * the moment in which the next one has arrived there. CRASH_BEFORE dies before it is sent.
 */
import https from 'node:https';
import { syncBuiltinESMExports } from 'node:module';

const limit = Number(process.env['CRASH_AT_WRITE'] ?? Number.POSITIVE_INFINITY);
const before = process.env['CRASH_BEFORE'] === '1';
const { request } = https;
let writes = 0;

https.request = function crashing(...args: Parameters<typeof request>) {
  const [url, options] = args as unknown as [URL, { method?: string }];
  const isWrite = ['POST', 'PUT', 'PATCH', 'DELETE'].includes(options.method ?? 'GET') && !url.pathname.includes('/leases');
  if (isWrite) writes += 1;
  if (isWrite && writes === limit && before) process.kill(process.pid, 'SIGKILL');
  const sent = Reflect.apply(request, https, args) as ReturnType<typeof request>;
  if (isWrite && writes === limit) sent.on('response', () => process.kill(process.pid, 'SIGKILL'));
  return sent;
} as typeof request;
syncBuiltinESMExports();
