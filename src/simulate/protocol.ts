/**
 * The simulator's own stand-in for a CCcam conversation. It has the sizes and the timing of the real one and nothing of its
 * content: no login, no cryptography, no keys.
 */
export const GREETING_BYTES = 16;
/** What a client sends after the greeting: 20 bytes, as long as the first block of a real client. */
export const HELLO = Buffer.from('cccam-simulate-hello', 'ascii');
/** The server's answer to the hello: its label, padded to 20 bytes, so that a client knows who serves it. */
export const ANSWER_BYTES = 20;
/** A real OSCam keepalive is 4 bytes long. */
export const KEEPALIVE = Buffer.alloc(4);
/** How often a simulated server sends a keepalive, in milliseconds; OSCam does so every 15 to 45 s. */
export const KEEPALIVE_EVERY_MS = 15_000;
/** OSCam closes a client that stays silent after the greeting: measured, its end is seen after 3.0 s. */
export const SILENCE_LIMIT_MS = 3_000;

/** The answer of the server with this label, 1 to 20 ASCII characters. */
export function answerOf(label: string): Buffer {
  const answer = Buffer.alloc(ANSWER_BYTES);
  answer.write(label.slice(0, ANSWER_BYTES), 'ascii');
  return answer;
}

/** The label in an answer. */
export function labelIn(answer: Buffer): string {
  return answer.subarray(0, ANSWER_BYTES).toString('ascii').replace(/\0+$/, '');
}
