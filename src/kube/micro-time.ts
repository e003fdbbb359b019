/**
 * A time as Leases and Events take it: RFC 3339 with exactly six digits after the point. The three that `Date` writes are refused by
 * the API server, every time.
 *
 * @param ms milliseconds since the epoch
 */
export function microTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, -1)}000Z`;
}
