import { networkInterfaces } from 'node:os';
import { isAnyAddress } from '../runtime/server-address.ts';

/** Whether clients that connect to an address reach what listens on `bind`. */
export function isOwnAddress(bind: string, address: string): boolean {
  if (!isAnyAddress(bind)) return address === bind;
  return address.startsWith('127.') || address === '::1' || localAddresses().includes(address);
}

/** Whether clients can reach this machine at an address now. */
export function isHere(bind: string): boolean {
  return isAnyAddress(bind) || bind.startsWith('127.') || localAddresses().includes(bind);
}

function localAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((addresses) => (addresses ?? []).map(({ address }) => address));
}
