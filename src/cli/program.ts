import { Command } from 'commander';
import type { CccamError } from '../runtime/errors.ts';
import { printable, withoutControls } from '../runtime/printable.ts';
import { VERSION } from '../runtime/version.ts';
import { backendAgentCommand } from './backend-agent.ts';
import { operatorCommand } from './operator.ts';
import { proxyAgentCommand } from './proxy-agent.ts';
import { runCommand } from './run.ts';
import { simulateCommand } from './simulate.ts';

/**
 * Every subcommand with its flags. What a subcommand does is loaded only when it is called: an agent must not pay for what the operator
 * needs.
 */
export function program(): Command {
  const commands = [runCommand(), operatorCommand(), proxyAgentCommand(), backendAgentCommand(), simulateCommand()];
  const root = new Command('cccam-operator')
    .description('One address for several CCcam-protocol servers that never drops a viewer by accident.')
    .version(VERSION);
  for (const command of commands) root.addCommand(command);
  for (const command of [root, ...commands, ...commands.flatMap(({ commands: nested }) => nested)])
    command.showHelpAfterError('Add --help for usage.').allowExcessArguments(false);
  return root;
}

/** Says why the program cannot go on, and ends it: whatever it has opened must not keep it running. */
export function fail(error: CccamError): never {
  process.stderr.write(withoutControls(`${error.code} ${error.message}\n${printable(error.remedy, 500)}\n`));
  process.exit(1);
}
