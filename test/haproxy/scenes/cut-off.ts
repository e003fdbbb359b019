import { run } from './shell.ts';

/** Packets from and to these hosts are lost, or what else is to become of some of them. @returns what ends that */
export async function cutOff(hosts: readonly string[], what: readonly string[] = ['-j', 'DROP']): Promise<() => Promise<void>> {
  const rules = hosts.flatMap((host) => ['-s', '-d'].map((way) => ['INPUT', way, host, ...what]));
  for (const rule of rules) await run('iptables', '-w', '-I', ...rule);
  return async () => {
    for (const rule of rules) await run('iptables', '-w', '-D', ...rule);
  };
}
