import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';

/** A control socket that answers as a test wants: late, never, cut short, or with a lot. */
export class FakeHaproxySocket {
  readonly path: string;
  readonly requests: string[] = [];
  readonly #folder: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(folder: string, answer: (request: string, socket: Socket) => void) {
    this.#folder = folder;
    this.path = join(folder, 'fake.sock');
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => socket.destroy()); // the far side gave up: that is what is tested
      let request = '';
      socket.on('data', (chunk) => {
        request += chunk.toString();
      });
      socket.on('end', () => {
        this.requests.push(request);
        answer(request, socket);
      });
    });
  }

  static async listen(answer: (request: string, socket: Socket) => void): Promise<FakeHaproxySocket> {
    const fake = new FakeHaproxySocket(await mkdtemp('/tmp/ccp-'), answer);
    await new Promise<void>((resolve) => fake.#server.listen(fake.path, resolve));
    return fake;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
    await rm(this.#folder, { recursive: true, force: true });
  }
}
