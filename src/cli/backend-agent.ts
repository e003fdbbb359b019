import { Command } from 'commander';
import { keepSmall } from '../runtime/small-process.ts';
import { drainKey, type Endpoint, http, logLevel, port } from './arguments.ts';

interface Flags {
  readonly port: number;
  readonly http: Endpoint;
  readonly drainKey: string;
  readonly linkKey: string;
  readonly logLevel: string;
}

/** `cccam-operator backend-agent`. */
export function backendAgentCommand(): Command {
  return new Command('backend-agent')
    .description('watch the CCcam server of this pod, and keep the pod until its sessions have ended')
    .requiredOption('--port <port>', 'CCcam port of the server', port)
    .addOption(http('the proxies, the kubelet and metrics', 9322))
    .addOption(drainKey())
    .requiredOption('--link-key <key>', 'key that a proxy must send to open a link')
    .addOption(logLevel())
    .action(async (flags: Flags) => {
      keepSmall();
      const { backendAgent } = await import('../backend-agent/agent.ts');
      process.exitCode = await backendAgent(flags);
    });
}
