import { InvalidArgumentError } from 'commander';
import { describe, expect, it } from 'vitest';
import { address, count, duration, http, names, port } from './arguments.ts';
import { program } from './program.ts';

describe('arguments', () => {
  it.each([
    [port, '0', 0],
    [port, '65535', 65_535],
    [address, 'fd00::1', 'fd00::1'],
    [count, '99999', 99_999],
    [duration, '1m', 60_000],
    [names, 'a,b', ['a', 'b']],
    [names, '', []],
  ] as const)('are read: %o %s', (read, text, value) => {
    expect(read(text)).toEqual(value);
  });

  it.each([
    [port, '65536'],
    [port, '-1'],
    [address, 'localhost'],
    [address, '999.1.1.1'],
    [count, '0'],
    [count, '1e3'],
    [duration, '10'],
    [duration, '1d'],
    [names, 'A'],
  ] as const)('are refused with what was expected: %o %s', (read, text) => {
    expect(() => read(text)).toThrow(InvalidArgumentError);
    expect(() => read(text)).toThrow(/^expected /);
  });

  it('take an address and a port with the brackets of IPv6', () => {
    const read = http('metrics', 8080).parseArg;
    expect(read?.('[::1]:80', undefined)).toEqual({ host: '::1', port: 80 });
    expect(read?.('10.0.0.1:0', undefined)).toEqual({ host: '10.0.0.1', port: 0 });
    for (const text of ['::1:80', 'localhost:80', '10.0.0.1', '10.0.0.1:65536', '999.0.0.1:80', '[1.2.3]:80'])
      expect(() => read?.(text, undefined)).toThrow(/^expected /);
  });
});

describe('program', () => {
  it('has every process as a subcommand with a description', () => {
    const { commands } = program();
    expect(commands.map((command) => command.name())).toEqual(['run', 'operator', 'proxy-agent', 'backend-agent', 'simulate']);
    for (const command of commands) expect(command.description()).not.toBe('');
  });
});
