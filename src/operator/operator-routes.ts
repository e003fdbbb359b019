import type { Clock } from '../runtime/clock.ts';
import { metricsRoute, type Route, sendText } from '../runtime/http-server.ts';
import type { Reflectors } from './reflectors.ts';

/** A watch that neither hears nor fails for so long, although the server sends a bookmark each minute: the process must be restarted. */
const STUCK_MS = 600_000;
/** A watch whose answers cannot be taken in: what it should follow may be anything by now. */
const BLIND_MS = 10_000;

/** The paths that the operator serves. @param registry of its metrics */
export function operatorRoutes(
  watches: Pick<Reflectors, 'stalled' | 'stuck' | 'synced'>,
  registry: Parameters<typeof metricsRoute>[0],
  clock: Clock,
): ReadonlyMap<string, Route> {
  return new Map<string, Route>([
    [
      '/healthz',
      (_request, response) => {
        const stuck = [...watches.stalled(STUCK_MS), ...watches.stuck(STUCK_MS)];
        if (stuck.length === 0) sendText(response, 200, 'ok\n');
        else sendText(response, 503, `a watch does nothing: ${stuck.join(', ')}\n`);
      },
    ],
    [
      '/readyz',
      (_request, response) => {
        const blind = watches.stuck(BLIND_MS);
        if (!watches.synced) sendText(response, 503, 'the caches are not warm yet\n');
        else if (blind.length > 0) sendText(response, 503, `a watch cannot read what it gets: ${blind.join(', ')}\n`);
        else sendText(response, 200, 'ok\n');
      },
    ],
    ['/metrics', metricsRoute(registry, clock)],
  ]);
}
