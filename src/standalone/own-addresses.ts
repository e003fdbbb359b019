import { networkInterfaces } from 'node:os';

const EVERY = ['0.0.0.0', '::'];

/** Whether clients that connect to an address reach what listens on `bind`. */
export function isOwnAddress(bind: string, address: string): boolean {
  if (!EVERY.includes(bind)) return address === bind;
  return address.startsWith('127.') || address === '::1' || localAddresses().includes(address);
}

/** Whether clients can reach this machine at an address now. */
export function isHere(bind: string): boolean {
  return EVERY.includes(bind) || bind.startsWith('127.') || localAddresses().includes(bind);
}

function localAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((addresses) => (addresses ?? []).map(({ address }) => address));
}
