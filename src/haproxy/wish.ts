import { createHash } from 'node:crypto';
import type { ProxyModel } from './model.ts';

/** A server that has an agent beside it, the port of that, and what it is asked with. */
export interface AgentOfServer {
  readonly server: string;
  readonly port: number;
  readonly key: string;
}

/** A proxy that ends, and was given less time for it than its sessions have. */
export interface EndOfProxy {
  /** Name of its pod. */
  readonly proxy: string;
  /** When it closes who is left, in milliseconds since the epoch. */
  readonly closeAfter: number;
}

/** What one proxy may hold on servers, where that is another part than the model says. */
export interface SharesOfProxy {
  /** Name of its pod. */
  readonly proxy: string;
  /** Sessions by id of the server. */
  readonly limits: readonly (readonly [id: number, sessions: number])[];
}

/** What is asked for beside the model. */
export interface Asked {
  readonly agents: readonly AgentOfServer[];
  readonly ends?: readonly EndOfProxy[];
  readonly shares?: readonly SharesOfProxy[];
}

/** What a proxy is asked for, as the text that travels from the operator to its agent. */
export function wishText(model: ProxyModel, { agents, ends = [], shares = [] }: Asked): string {
  return JSON.stringify({ ...model, agents, ...(ends.length === 0 ? {} : { ends }), ...(shares.length === 0 ? {} : { shares }) });
}

/** Names a wish: the agent tells it back, so that everybody knows which one it works on. 16 hexadecimal digits. */
export function wishName(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
