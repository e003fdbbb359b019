import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { HELLO, KEEPALIVE } from '../../src/simulate/protocol.ts';
import { BINARIES, type HaproxyBinary } from '../support/binaries.ts';
import { until } from '../support/until.ts';
import { TestBox } from './box.ts';

/** The shortest idle time that a pool may have. */
const IDLE_MS = 60_000;

/** When a session ends that says hello and then, if `everyMs` is given, only keepalives. Infinity when it is still there at the limit. */
async function endOf(box: TestBox, everyMs: number | null, limitMs: number): Promise<number> {
  const socket = connect({ host: '127.0.0.1', port: box.port });
  const begun = performance.now();
  let ended = Number.POSITIVE_INFINITY;
  socket.once('data', () => socket.write(HELLO));
  socket.on('close', () => {
    ended = Math.min(ended, performance.now() - begun);
  });
  let lastWrite = begun;
  await until(
    'it ends, or the limit',
    () => {
      if (everyMs !== null && performance.now() - lastWrite > everyMs) {
        lastWrite = performance.now();
        socket.write(KEEPALIVE);
      }
      return Number.isFinite(ended) || performance.now() - begun > limitMs;
    },
    limitMs + 5_000,
  );
  socket.destroy();
  return ended;
}

async function measure(binary: HaproxyBinary): Promise<{ silent: number; kept: number }> {
  const box = await TestBox.create(binary, 1);
  try {
    await box.save({ backends: box.backends(), timeouts: { idle: '60s' } });
    await box.start();
    box.server(1).quiet = true;
    const [silent, kept] = await Promise.all([endOf(box, null, IDLE_MS + 10_000), endOf(box, 15_000, IDLE_MS + 5_000)]);
    return { silent, kept };
  } finally {
    await box.dispose();
  }
}

describe('the idle time', () => {
  it('ends a session that is silent for so long, and none that sends keepalives, on every HAProxy', { timeout: 120_000 }, async () => {
    for (const { silent, kept } of await Promise.all(BINARIES.map(measure))) {
      expect(silent).toBeGreaterThan(IDLE_MS - 2_000);
      expect(silent).toBeLessThan(IDLE_MS + 8_000);
      expect(kept).toBe(Number.POSITIVE_INFINITY);
    }
  });
});
