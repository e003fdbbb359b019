import { systemClock } from '../../../src/runtime/clock.ts';
import type { SimulatedClient } from '../../../src/simulate/client.ts';
import type { SimulatedServer } from '../../../src/simulate/server.ts';
import { type BackendDraft, mayEnd, type PoolDraft, specOf } from '../../soak/draft.ts';
import { Excuses, type Loss } from '../../soak/excuses.ts';
import type { ProxyFault, ServerFault, Step } from '../../soak/walk.ts';
import type { TestBox } from '../box.ts';
import { cutOff } from './cut-off.ts';

const MOST_CLIENTS = 120;
/** Resets, and the next request of a client, are noticed within that. */
const NOTICED_MS = 3_000;
/** Once a server hangs its sessions may be closed until it was heard again. */
const HUNG_MS = 15_000;

/** Takes the steps of a walk on a box, and knows which sessions may have ended for it. */
export class Walker {
  readonly #box: TestBox;
  readonly #excuses = new Excuses();
  readonly #losses: Loss[] = [];
  readonly #clients: SimulatedClient[] = [];
  readonly #endings: Promise<void>[] = [];
  /** Servers with a fault that is not over. */
  readonly #faulty = new Set<SimulatedServer>();
  /** Hosts of servers that refused one more session some time: their limit may have been learned. */
  readonly spoiled = new Set<string>();
  readonly story: string[] = [];
  #draft: PoolDraft;
  #edits = 0;
  #faults = 0;
  #served = 0;

  constructor(box: TestBox, draft: PoolDraft) {
    this.#box = box;
    this.#draft = draft;
  }

  async begin(clients: number): Promise<void> {
    await this.#save();
    await this.#box.start();
    this.#come(clients);
    await this.#pass(2_000);
  }

  async take(step: Step): Promise<void> {
    this.story.push(`${Math.round(systemClock.monotonic())} ${JSON.stringify(step)}`);
    switch (step.kind) {
      case 'pool':
        await this.#edit({ ...this.#draft, ...step.change });
        break;
      case 'backend':
        await this.#edit(this.#changed(step.backend, (before) => ({ ...before, ...step.change })));
        break;
      case 'rename':
        await this.#edit(this.#changed(step.backend, (before) => ({ ...before, names: before.names + 1 })));
        break;
      case 'broken file':
        this.#edits += 1;
        await this.#box.saveText(step.text);
        break;
      case 'server':
        await this.#serverFault(step.server, step.fault, step.lastsMs);
        break;
      case 'outage':
        await this.#outage(step.servers, step.lastsMs);
        break;
      case 'proxy':
        await this.#proxyFault(step.fault);
        break;
      case 'clients':
        this.#come(Math.min(step.count, MOST_CLIENTS - this.#clients.length));
    }
    await this.#pass(step.pauseMs);
  }

  /** Every fault ends, and the file is what was asked for last. */
  async end(): Promise<void> {
    await Promise.all(this.#endings);
    await this.#save();
  }

  /** Losses that nothing explains. */
  get unexplained(): readonly Loss[] {
    return this.#excuses.unexplained(this.#losses);
  }

  get areAllServed(): boolean {
    return this.waiting === 0;
  }

  /** Clients that nobody serves now. */
  get waiting(): number {
    return this.#clients.filter(({ servedBy }) => servedBy === null).length;
  }

  get counts(): { readonly edits: number; readonly faults: number; readonly sessions: number; readonly lost: number } {
    return { edits: this.#edits, faults: this.#faults, sessions: this.#served, lost: this.#losses.length };
  }

  #changed(index: number, change: (before: BackendDraft) => BackendDraft): PoolDraft {
    return { ...this.#draft, backends: this.#draft.backends.map((each, at) => (at === index ? change(each) : each)) };
  }

  async #edit(draft: PoolDraft): Promise<void> {
    const now = systemClock.monotonic();
    for (const [index, after] of draft.backends.entries()) {
      if (mayEnd(this.#draft.backends[index], after)) this.#excuses.add(`s${index + 1}`, now);
    }
    this.#draft = draft;
    this.#edits += 1;
    await this.#save();
  }

  async #save(): Promise<void> {
    await this.#box.save(specOf(this.#draft, this.#box.servers));
  }

  #come(count: number): void {
    const options = {
      retryMs: 300,
      patienceMs: 5_000,
      requestEveryMs: 1_000,
      onServed: () => {
        this.#served += 1;
      },
      onLost: (label: string) => {
        this.#losses.push({ label, at: systemClock.monotonic() });
      },
    };
    this.#clients.push(...this.#box.clients(count, options));
  }

  async #serverFault(index: number, fault: ServerFault, lastsMs: number): Promise<void> {
    const server = this.#box.servers[index];
    if (server === undefined || this.#faulty.has(server)) return;
    this.#faults += 1;
    this.#faulty.add(server);
    const now = systemClock.monotonic();
    if (fault === 'killed') this.#excuses.add(server.label, now, now + NOTICED_MS);
    if (fault === 'hung') this.#excuses.add(server.label, now, now + lastsMs + HUNG_MS);
    if (fault !== 'killed' && fault !== 'slow') this.spoiled.add(server.host);
    await beginFault(server, fault);
    this.#later(lastsMs, async () => {
      await endFault(server, fault);
      this.#faulty.delete(server);
    });
  }

  async #outage(indexes: readonly number[], lastsMs: number): Promise<void> {
    this.#faults += 1;
    const mend = await cutOff(indexes.flatMap((index) => this.#box.servers[index]?.host ?? []));
    this.#later(lastsMs, mend);
  }

  async #proxyFault(fault: ProxyFault): Promise<void> {
    this.#faults += 1;
    const now = systemClock.monotonic();
    switch (fault) {
      case 'program':
        await this.#box.killProgram();
        return await this.#box.start(false);
      case 'worker': {
        const running = await this.#box.processes().catch(() => null); // it may be starting
        this.#excuses.add(null, now, now + NOTICED_MS);
        if (running?.currentPid != null) process.kill(running.currentPid, 'SIGKILL');
        return;
      }
      case 'paused': {
        const pid = this.#box.programPid;
        process.kill(pid, 'SIGSTOP');
        await this.#pass(2_000);
        process.kill(pid, 'SIGCONT');
        return;
      }
      case 'tampered':
        await this.#box.commands('disable frontend clients', 'set maxconn frontend clients 7').catch(() => []); // it may be starting
    }
  }

  #later(ms: number, what: () => Promise<void>): void {
    this.#endings.push(this.#pass(ms).then(what));
  }

  async #pass(ms: number): Promise<void> {
    await systemClock.sleep(ms);
  }
}

async function beginFault(server: SimulatedServer, fault: ServerFault): Promise<void> {
  if (fault === 'killed') await server.kill();
  else if (fault === 'full') server.limit = { sessions: server.sessions, full: 'close' };
  else if (fault === 'ignoring') server.limit = { sessions: server.sessions, full: 'silent' };
  else server.mode = fault;
}

async function endFault(server: SimulatedServer, fault: ServerFault): Promise<void> {
  server.limit = null;
  server.mode = 'normal';
  if (fault === 'killed') await server.listen();
}
