/**
 * Loaded before the program (`node --import`): lets it send its first CRASH_AFTER changing commands to HAProxy, waits for their
 * answers and then dies like by kill -9. So a test can end it between any two commands.
 */
import { Socket } from 'node:net';

const limit = Number(process.env['CRASH_AFTER'] ?? Number.POSITIVE_INFINITY);
const CHANGING = /^(add|del|set|enable|clear) /;
let sent = 0;

const end = Socket.prototype.end;
Socket.prototype.end = function crashingEnd(this: Socket, ...args: unknown[]): Socket {
  const [data, ...rest] = args;
  if (typeof data !== 'string' || !data.startsWith('prompt\n')) return Reflect.apply(end, this, args) as Socket;
  const lines: string[] = [];
  for (const line of data.split('\n')) {
    lines.push(line);
    if (!CHANGING.test(line)) continue;
    sent += 1;
    if (sent < limit) continue;
    this.once('close', () => process.kill(process.pid, 'SIGKILL'));
    return Reflect.apply(end, this, [`${lines.join('\n')}\nquit\n`, ...rest]) as Socket;
  }
  return Reflect.apply(end, this, args) as Socket;
};
