import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { BackendState } from './backend-state.ts';
import { SOCKET_STATES } from './socket-table.ts';

/** Metrics of one server, as its agent sees it. */
export class BackendMetrics {
  readonly registry = new Registry();
  readonly #sockets = new Gauge({
    name: 'cccam_backend_sockets',
    help: 'Sockets of the CCcam port, by state. Many in close_wait for long are clients that the server does not let go.',
    labelNames: ['state'],
    registers: [this.registry],
  });
  readonly #draining = new Gauge({
    name: 'cccam_backend_draining',
    help: 'Whether the pod ends and its sessions are waited for.',
    registers: [this.registry],
  });
  readonly #proxies = new Gauge({
    name: 'cccam_backend_proxies',
    help: 'Proxies that keep a connection to this agent.',
    registers: [this.registry],
  });

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }

  /** Takes over what was just seen. */
  update(state: BackendState, proxies: number): void {
    for (const name of SOCKET_STATES) this.#sockets.set({ state: name }, state.sockets[name]);
    this.#draining.set(state.drain === null ? 0 : 1);
    this.#proxies.set(proxies);
  }
}
