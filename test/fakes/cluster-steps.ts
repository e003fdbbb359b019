import fc from 'fast-check';

/** Something that happens around a pool. Numbers choose among what is there. */
export type Step =
  | {
      readonly kind:
        | 'template'
        | 'proxies lag'
        | 'proxies catch up'
        | 'proxy restarts'
        | 'proxy lies'
        | 'proxy is lost'
        | 'statuses lag'
        | 'statuses catch up'
        | 'refuse'
        | 'accept'
        | 'all is well';
    }
  | {
      readonly kind: 'pod starts' | 'pod is ready' | 'pod is unready' | 'pod is deleted' | 'pod is gone' | 'drain' | 'undrain' | 'empty';
      readonly at: number;
    }
  | { readonly kind: 'backend leaves' | 'backend returns'; readonly at: number }
  | { readonly kind: 'time'; readonly ms: number };

const at = fc.nat({ max: 30 });
export const steps: fc.Arbitrary<Step> = fc.oneof(
  fc
    .constantFrom(
      'template',
      'proxies lag',
      'proxies catch up',
      'proxy restarts',
      'proxy lies',
      'proxy is lost',
      'statuses lag',
      'statuses catch up',
      'refuse',
      'accept',
      'all is well',
      'all is well',
    )
    .map((kind) => ({ kind }) as Step),
  fc
    .tuple(
      fc.constantFrom('pod starts', 'pod is ready', 'pod is unready', 'pod is deleted', 'pod is gone', 'drain', 'undrain', 'empty'),
      at,
    )
    .map(([kind, which]) => ({ kind, at: which }) as Step),
  fc.tuple(fc.constantFrom('backend leaves', 'backend returns'), at).map(([kind, which]) => ({ kind, at: which }) as Step),
  fc.integer({ min: 1, max: 900_000 }).map((ms): Step => ({ kind: 'time', ms })),
);
