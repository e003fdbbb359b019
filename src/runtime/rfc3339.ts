/** A time to the second, as Kubernetes writes it. @param ms milliseconds since the epoch */
export function rfc3339(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
