import { createHash } from 'node:crypto';
import type { ProxyModel } from './model.ts';

/** What a proxy is asked for, as the text that travels from the operator to its agent. */
export function wishText(model: ProxyModel): string {
  return JSON.stringify(model);
}

/** Names a wish: the agent tells it back, so that everybody knows which one it works on. 16 hexadecimal digits. */
export function wishName(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
