import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { wireTexts } from '../../test/fakes/wire-texts.ts';
import { readBackendLine, readProxyLine } from './agent-link.ts';
import { readObservationLine } from './observation.ts';
import { readPreStopCall } from './pre-stop.ts';
import { readProxyConfig } from './proxy-config.ts';
import { readSavedState } from './saved-state.ts';

const FOLDER = 'src/wire/samples';
/** Versions with samples, the newest last. */
const versions = (await readdir(FOLDER)).sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));

/** How each format is read, and what every sample of it must say. */
const READERS: Readonly<Record<string, (text: string) => unknown>> = {
  'proxy-config.json': (text) => {
    const { agents, ends, servers, shares } = readProxyConfig(text);
    return [servers.map(({ deadlineAt, state }) => [state, deadlineAt]), agents?.[0]?.port, ends?.[0]?.deadlineAt, shares?.[0]?.limits];
  },
  'saved-state.json': (text) => readSavedState(text)?.roster.map(({ drain, id, pod, shares }) => [id, drain, pod, shares]),
  'observation.ndjson': (text) => linesOf(text).map((line) => readObservationLine(line)),
  'backend-line.json': readBackendLine,
  'proxy-line.json': readProxyLine,
  'pre-stop.json': (text) => {
    const { httpGet } = JSON.parse(text) as { httpGet: { path: string } };
    return readPreStopCall(httpGet.path);
  },
};

function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}

async function sample(version: string, name: string): Promise<string> {
  return await readFile(join(FOLDER, version, name), 'utf8');
}

/** Paths of every field in a text, and the types of their values. */
function fields(text: string): Set<string> {
  const found = new Set<string>();
  const visit = (value: unknown, path: string): void => {
    if (Array.isArray(value)) for (const each of value) visit(each, `${path}[]`);
    else if (typeof value === 'object' && value !== null) {
      for (const [key, each] of Object.entries(value)) visit(each, `${path}.${key}`);
    } else if (value !== null) found.add(`${path}: ${typeof value}`);
  };
  for (const line of linesOf(text)) {
    const value = JSON.parse(line) as { kind?: string };
    visit(value, value.kind ?? '');
  }
  return found;
}

/** The text with a field in every object that nobody knows. */
function withUnknownFields(text: string): string {
  return linesOf(text)
    .map((line) =>
      JSON.stringify(JSON.parse(line), (key, value: unknown) =>
        key !== 'shares' && typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value, fromTheFuture: 1 } : value,
      ),
    )
    .join('\n');
}

describe.each(versions)('what version %s wrote', (version) => {
  it.each(Object.keys(READERS))('is read: %s', async (name) => {
    const read = READERS[name];
    const expected = read?.(wireTexts().get(name) ?? '');
    expect(read?.(await sample(version, name))).toEqual(expected);
  });
});

describe('what a newer version writes', () => {
  it.each(Object.keys(READERS).filter((name) => name !== 'pre-stop.json'))('is read without the fields that are new: %s', async (name) => {
    const text = wireTexts().get(name) ?? '';
    expect(READERS[name]?.(withUnknownFields(text))).toEqual(READERS[name]?.(text));
  });
});

describe('what is written now', () => {
  it.each(Object.keys(READERS))('has every field of the newest samples, for the version before: %s', async (name) => {
    const [now, before] = [fields(wireTexts().get(name) ?? ''), fields(await sample(versions.at(-1) ?? '', name))];
    expect([...before].filter((field) => !now.has(field))).toEqual([]);
  });
});
