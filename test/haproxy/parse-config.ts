/** Reads a configuration of ours back, line by line and independently of the renderer, for the tests that compare the two. */
export interface ParsedConfig {
  readonly sections: readonly string[];
  readonly lines: ReadonlyMap<string, readonly string[]>;
  readonly servers: readonly ParsedServer[];
}

export interface ParsedServer {
  readonly name: string;
  readonly target: string;
  readonly id: number;
  readonly weight: number;
  readonly maxConnections: number;
  readonly backup: boolean;
  readonly disabled: boolean;
  readonly checked: boolean;
}

/** The only lines that a version of HAProxy decides on. */
const CONDITIONS: readonly string[] = ['.if version_atleast(3.0)', '.endif'];

/** @throws Error on anything that a configuration of ours never has */
export function parseConfig(text: string): ParsedConfig {
  if (/[^\x20-\x7e\n]/.test(text)) throw new Error('a byte that is neither printable ASCII nor a line end');
  const sections: string[] = [];
  const lines = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('# ') || CONDITIONS.includes(line)) continue;
    if (!line.startsWith(' ')) {
      sections.push(line);
      lines.set(line, []);
      continue;
    }
    const section = sections.at(-1);
    if (section === undefined || !/^ {4}\S/.test(line)) throw new Error(`a line outside of every section: ${line}`);
    lines.get(section)?.push(line.trim());
  }
  const servers = (lines.get('backend servers') ?? []).filter((line) => line.startsWith('server ')).map(parseServer);
  return { sections, lines, servers };
}

function parseServer(line: string): ParsedServer {
  const [, name = '', target = '', ...words] = line.split(' ');
  const value = (key: string): number => {
    const index = words.indexOf(key);
    const text = words[index + 1] ?? '';
    if (index < 0 || !/^[0-9]+(ms)?$/.test(text)) throw new Error(`${key} is missing in ${line}`);
    return Number.parseInt(text, 10);
  };
  return {
    name,
    target,
    id: value('id'),
    weight: value('weight'),
    maxConnections: value('maxconn'),
    backup: words.includes('backup'),
    disabled: words.includes('disabled'),
    checked: words.includes('check'),
  };
}
