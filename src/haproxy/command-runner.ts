import { type Command, commandText, isGoodAnswer } from './command.ts';
import type { Report } from './event.ts';
import { runCommands } from './runtime-socket.ts';

/** Sends commands and tells refusals, each once for as long as it repeats. */
export class CommandRunner {
  readonly #path: string;
  readonly #report: Report;
  /** What HAProxy answered to the commands that it refused last time. */
  #refused: ReadonlyMap<string, string> = new Map();

  /** @param path the runtime socket */
  constructor(path: string, report: Report) {
    this.#path = path;
    this.#report = report;
  }

  /**
   * Sends commands in order; one that is refused does not keep the others from being sent.
   *
   * @returns those that were done
   * @throws CccamError CCP_HAPROXY_UNREACHABLE
   */
  async run(commands: readonly Command[]): Promise<readonly Command[]> {
    const texts = commands.map(commandText);
    const answers = await runCommands(this.#path, texts);
    const refused = new Map<string, string>();
    const done = commands.filter((command, index) => {
      const answer = (answers[index] ?? '').trim();
      if (isGoodAnswer(answer)) return true;
      const text = texts[index] ?? '';
      refused.set(text, answer);
      if (this.#refused.get(text) !== answer) this.#reportRefusal(command, answer);
      return false;
    });
    this.#refused = refused;
    return done;
  }

  #reportRefusal(command: Command, answer: string): void {
    const server = 'name' in command ? command.name : command.kind === 'add' ? command.server.name : null;
    this.#report({ severity: 'Warning', reason: 'CommandRefused', server, message: `${command.kind}: ${answer.split('\n')[0] ?? ''}` });
  }
}
