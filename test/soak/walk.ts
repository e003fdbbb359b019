import fc from 'fast-check';
import type { BackendDraft, PoolDraft } from './draft.ts';

/** What happens to the pool's file, to a server, to the network or to the proxy. Servers count from 0. */
export type Step =
  | { readonly kind: 'pool'; readonly change: Partial<Omit<PoolDraft, 'backends'>>; readonly pauseMs: number }
  | { readonly kind: 'backend'; readonly backend: number; readonly change: Partial<BackendDraft>; readonly pauseMs: number }
  | { readonly kind: 'rename'; readonly backend: number; readonly pauseMs: number }
  | { readonly kind: 'broken file'; readonly text: string; readonly pauseMs: number }
  | { readonly kind: 'server'; readonly server: number; readonly fault: ServerFault; readonly lastsMs: number; readonly pauseMs: number }
  | { readonly kind: 'outage'; readonly servers: readonly number[]; readonly lastsMs: number; readonly pauseMs: number }
  | { readonly kind: 'proxy'; readonly fault: ProxyFault; readonly pauseMs: number }
  | { readonly kind: 'clients'; readonly count: number; readonly pauseMs: number };

/** `killed`: its process dies, and is started again. The others are ways to treat new clients, but for `hung`, which is silent to all. */
export type ServerFault = 'killed' | 'hung' | 'banning' | 'closing' | 'slow' | 'full' | 'ignoring';
/** `program` and `worker` are killed; `paused`: the program is stopped for some seconds; `tampered`: somebody uses HAProxy's own socket. */
export type ProxyFault = 'program' | 'worker' | 'paused' | 'tampered';

/** How many servers a walk has. */
export const SERVERS = 5;

const pauseMs = fc.oneof({ weight: 3, arbitrary: fc.integer({ min: 0, max: 400 }) }, fc.integer({ min: 400, max: 4_000 }));
const lastsMs = fc.integer({ min: 1_000, max: 9_000 });
const other = fc.integer({ min: 1, max: SERVERS - 1 });
const any = fc.integer({ min: 0, max: SERVERS - 1 });

const poolChange = fc.oneof(
  fc.record({ algorithm: fc.constantFrom('LeastConnections', 'RoundRobin', 'SourceHash', 'Random') }),
  fc.record({ sticky: fc.boolean() }),
  fc.record({ policy: fc.constantFrom('Formula', 'Balanced', 'Equal') }),
  fc.record({ interval: fc.constantFrom('1s', '2s', '10s') }),
  fc.record({ fall: fc.constantFrom(1, 2, 3) }),
  fc.record({ rise: fc.constantFrom(1, 2) }),
  fc.record({ timeout: fc.constantFrom('1s', '2s') }),
  fc.record({ idle: fc.constantFrom('20m', '30m', '45m') }),
  fc.record({ deadline: fc.constantFrom('2s', '4s') }),
  fc.record({ closePerSecond: fc.constantFrom(5, 20, 1_000) }),
) satisfies fc.Arbitrary<Partial<Omit<PoolDraft, 'backends'>>>;

const backendChange = fc.oneof(
  fc.record({ present: fc.boolean() }),
  fc.record({ weight: fc.option(fc.integer({ min: 0, max: 256 }), { nil: null }) }),
  fc.record({ role: fc.constantFrom('Active', 'Backup') }),
  fc.record({ maxConnections: fc.option(fc.integer({ min: 1, max: 500 }), { nil: null }) }),
  fc.record({ cores: fc.option(fc.integer({ min: 1, max: 16 }), { nil: null }) }),
  fc.record({ drain: fc.constantFrom('no', 'soon', 'later') }),
  fc.record({ passive: fc.boolean() }),
) satisfies fc.Arbitrary<Partial<BackendDraft>>;

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('pool'), change: poolChange, pauseMs }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('backend'), backend: other, change: backendChange, pauseMs }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('rename'), backend: other, pauseMs }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('broken file'), text: fc.constantFrom('', 'spec: [', '{}', 'kind: Pod\n'), pauseMs }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('server'),
      server: any,
      fault: fc.constantFrom('killed', 'hung', 'banning', 'closing', 'slow', 'full', 'ignoring'),
      lastsMs,
      pauseMs,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('outage'), servers: fc.subarray([0, 1, 2, 3, 4], { minLength: 1 }), lastsMs, pauseMs }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('proxy'), fault: fc.constantFrom('program', 'worker', 'paused', 'tampered'), pauseMs }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('clients'), count: fc.integer({ min: 1, max: 15 }), pauseMs }) },
);

/** The steps of a walk; the same for the same seed. */
export function walk(seed: number, steps: number): Step[] {
  const [drawn = []] = fc.sample(fc.array(step, { minLength: steps, maxLength: steps, size: 'max' }), { seed, numRuns: 1 });
  return drawn;
}
