/**
 * Ids for servers, small and stable: a server keeps its id for as long as it is known, and a new server takes the lowest free one,
 * so that a replacement takes over what its predecessor has left. Consistent hashing goes by ids: it then moves no other clients.
 *
 * @param known ids of servers that exist, by name; must be free of repeats
 * @param names servers that need an id, those that have one among them
 */
export function assignIds(known: ReadonlyMap<string, number>, names: readonly string[]): ReadonlyMap<string, number> {
  const ids = new Map(known);
  const used = new Set(known.values());
  let next = 1;
  for (const name of names) {
    if (ids.has(name)) continue;
    while (used.has(next)) next += 1;
    ids.set(name, next);
    used.add(next);
  }
  return ids;
}
