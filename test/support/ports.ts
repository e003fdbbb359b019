import { createServer } from 'node:net';

/** Below the ports that the kernel gives to clients and to whoever asks for any: nobody takes one of these by chance. */
const FIRST = 14_000;
const LAST = 30_000;

/** A port on every address that nobody listens on now, and nobody will take by chance. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
    if (await isFree(port)) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false));
    server.listen({ port, host: '0.0.0.0', exclusive: true }, () => server.close(() => resolve(true)));
  });
}
