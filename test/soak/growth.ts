/** What is measured of something that may go on for ever, by name. */
export type Sample = Readonly<Record<string, number>>;

/** Fewer say nothing. */
const FEWEST = 9;

/**
 * What has grown, in words: the middle of the last third of the samples against the middle of the second one. The first third is left out:
 * that is where caches fill.
 *
 * @param most by how much each may have grown @throws Error when there are too few samples, or one of the names is missing
 */
export function growth(samples: readonly Sample[], most: Sample): string[] {
  if (samples.length < FEWEST) throw new Error(`${samples.length} samples say nothing`);
  const third = Math.floor(samples.length / 3);
  return Object.entries(most).flatMap(([name, limit]) => {
    const before = median(samples.slice(third, 2 * third), name);
    const after = median(samples.slice(2 * third), name);
    return after - before <= limit ? [] : [`${name} has grown from ${before} to ${after}`];
  });
}

function median(samples: readonly Sample[], name: string): number {
  const values = samples.map((sample) => sample[name] ?? Number.NaN).sort((a, b) => a - b);
  const middle = values[Math.floor(values.length / 2)];
  if (middle === undefined || values.some(Number.isNaN)) throw new Error(`${name} was not measured`);
  return middle;
}
