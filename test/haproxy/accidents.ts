import type { Accident } from './accidents/accident.ts';
import { JUDGEMENT_ACCIDENTS } from './accidents/judgement.ts';
import { NETWORK_ACCIDENTS } from './accidents/network.ts';
import { OWNER_ACCIDENTS } from './accidents/owner.ts';
import { PROXY_ACCIDENTS } from './accidents/proxy.ts';
import { SERVER_ACCIDENTS } from './accidents/server.ts';

/** What happens to people who do this job: each is played with ours and with a plain HAProxy file, in the same run. */
export const ACCIDENTS: readonly Accident[] = [
  ...SERVER_ACCIDENTS,
  ...JUDGEMENT_ACCIDENTS,
  ...NETWORK_ACCIDENTS,
  ...PROXY_ACCIDENTS,
  ...OWNER_ACCIDENTS,
];
