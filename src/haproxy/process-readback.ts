import type { ActualProcess } from './actual.ts';
import { cell, figure, infoLine, statisticsRows } from './table-text.ts';

/** States of a frontend in `show stat`; FULL and OPEN let clients in, PAUSED is `disable frontend`, STOP is `shutdown frontend`. */
const FRONTEND_STATES: Readonly<Record<string, ActualProcess['frontend']>> = { PAUSED: 'paused', STOP: 'stopped' };
const RATE_LIMITS = ['ConnRateLimit', 'SessRateLimit', 'SslRateLimit'];

/**
 * Reads what concerns a worker as a whole.
 *
 * @param info `show info` @param frontend `show stat` of the frontend @param tables `show table` @param counts `show table` of our counters
 */
export function parseProcess(info: string, frontend: string, tables: string, counts: string): ActualProcess {
  const row = frontend.trim().startsWith('#') ? statisticsRows(frontend)[0] : undefined;
  const counter = (key: string): number => Number(new RegExp(` key=1 .*\\b${key}=(\\d+)`).exec(counts)?.[1] ?? 0);
  return {
    frontend: FRONTEND_STATES[row === undefined ? '' : (cell(row, 'status') ?? '')] ?? 'open',
    frontendLimit: row === undefined ? 0 : figure(row, 'slim'),
    globalLimit: Number(infoLine(info, 'Maxconn') ?? 0),
    rateLimited: RATE_LIMITS.some((key) => Number(infoLine(info, key) ?? 0) > 0),
    tables: new Map([...tables.matchAll(/^# table: (\S+), .*\bused:(\d+)/gm)].map(([, name = '', used]) => [name, Number(used)])),
    heldByOld: counter('gpt0'),
    refused: { client: counter('gpc0'), full: counter('gpc1') },
  };
}
