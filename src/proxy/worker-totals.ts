/**
 * Totals that HAProxy counts since its worker began, as increments of counters that never fall: a reload or a restart begins again at 0.
 */
export class WorkerTotals {
  #pid: number | null = null;
  readonly #totals = new Map<string, number>();

  /** Begins a reading. @param pid of the worker that counts now */
  begin(pid: number | null): void {
    if (pid === this.#pid) return;
    this.#pid = pid;
    this.#totals.clear();
  }

  /** By how much a total has grown since it was read last. @param name of the total */
  rise(name: string, total: number): number {
    const before = this.#totals.get(name) ?? 0;
    this.#totals.set(name, total);
    return Math.max(0, total - before);
  }
}
