import { Command } from 'commander';
import { nodeAddresses } from '../runtime/node-addresses.ts';
import { keepSmall } from '../runtime/small-process.ts';
import { type Endpoint, earlierOptions, http, logLevel, nodeAddress, port } from './arguments.ts';

interface Flags {
  readonly port: number;
  readonly http: Endpoint;
  readonly nodeAddress: string;
  readonly logLevel: string;
}

/** `cccam-operator backend-agent`. */
export function backendAgentCommand(): Command {
  const command = new Command('backend-agent')
    .description('watch the CCcam server of this pod, and keep the pod until its sessions have ended')
    .requiredOption('--port <port>', 'CCcam port of the server', port)
    .addOption(http('the proxies, the kubelet and metrics', 9322))
    .addOption(nodeAddress())
    .addOption(logLevel())
    .action(async (flags: Flags) => {
      keepSmall();
      const { backendAgent } = await import('../backend-agent/agent.ts');
      process.exitCode = await backendAgent({ ...flags, node: await nodeAddresses(flags.nodeAddress) });
    });
  for (const option of earlierOptions()) command.addOption(option);
  return command;
}
