import type { SimulatedServer } from '../../../src/simulate/server.ts';

/** A server takes longer to greet than a check waits. */
export function slowDown(server: SimulatedServer): void {
  server.slowMs = 2_500;
  server.mode = 'slow';
}
