import { after, FINE_FILE, line, PORT, type Row } from './odd-file.ts';

/** Text that is no YAML, or reads differently elsewhere. */
export const TEXTS: readonly Row[] = [
  ['nothing', '', 1, 'pool', /a CccamPool, found an empty file/, /write one/],
  ['only comments', '# later\n', 1, 'pool', /a CccamPool, found an empty file/, /write one/],
  ['a word', 'cccam\n', 1, 'pool', /an object.*found the text "cccam"/, /correct it/],
  ['a list', '- a\n- b\n', 1, 'pool', /an object.*found a list/, /take out the dash/],
  ['a HAProxy file', 'global\n    daemon\nfrontend x\n    bind :12000\n', 1, 'pool', /./, /./],
  ['two documents', `${FINE_FILE}---\n${FINE_FILE}`, 23, 'pool', /one pool in a file/, /take out|file of its own/],
  ['tabs', line(6, '\tport: 12000'), 6, 'pool', /spaces/, /tab/],
  ['a key twice', after(6, '  port: 12001'), 7, 'pool', /each key once/, /twice/],
  ['an open bracket', line(20, '    interval: [10s'), 21, 'pool', /./, /closed|indentation/],
  ['an open quote', line(20, '    interval: "10s'), 20, 'pool', /closed/, /quote/],
  ['no space behind the colon', line(6, '  port:12000'), 6, 'pool', /./, /colon|indentation/],
  ['a wrong indentation', line(11, '     port: 12001'), 11, 'pool', /./, /indentation|column/],
  ['an alias without its anchor', line(13, '        cores: *four'), 13, 'pool', /an anchor of that name above/, /anchor/],
  ['a value that begins with an @', line(4, '  name: @home'), 4, 'pool', /quotes around/, /quotes/],
  ['a value that begins with a percent sign', line(4, '  name: %home'), 4, 'pool', /quotes around/, /quotes/],
  [
    'a bomb of aliases',
    `a: &a [x, x, x, x, x, x, x, x, x, x]\n${['b', 'c', 'd', 'e'].map((name, index) => `${name}: &${name} [${Array.from({ length: 9 }, () => `*${'abcd'[index]}`).join(', ')}]`).join('\n')}\n`,
    2,
    'pool',
    /at most 200 aliases/,
    /write the values out/,
  ],
  ['a space that does not break', line(6, '  port:\u00a012000'), 6, 'pool', /plain characters.*U\+00A0/, /type it again/i],
  ['typographic quotes', line(4, '  name: “living-room”'), 4, 'metadata.name', /a name of 1 to 40/, /correct it/],
  [
    'an octal port',
    line(11, '      port: 024001'),
    11,
    PORT,
    /reads the same everywhere: here it is 24001, in kubectl apply 10241/,
    /write what you mean/i,
  ],
  [
    'yes as a value',
    after(14, '      drain: {enabled: yes}'),
    15,
    'spec.backends[0].drain.enabled',
    /here it is the text "yes", in kubectl apply true/,
    /write what you mean/i,
  ],
  ['off as a name', line(8, '    - name: off'), 8, 'spec.backends[0].name', /here it is the text "off", in kubectl apply false/, /quotes/],
  ['n as a name', line(8, '    - name: n'), 8, 'spec.backends[0].name', /here it is the text "n", in kubectl apply false/, /quotes/],
  [
    'a number with an underscore',
    line(6, '  port: 12_000'),
    6,
    'spec.port',
    /here it is the text "12_000", in kubectl apply 12000/,
    /write what you mean/i,
  ],
  ['a binary number', line(6, '  port: 0b11'), 6, 'spec.port', /in kubectl apply 3/, /write what you mean/i],
];

/** Bytes that are no UTF-8. */
export const BYTES: readonly Row[] = [
  ['UTF-16', utf16(FINE_FILE), null, 'pool', /written in UTF-16/, /save it as UTF-8/i],
  ['UTF-16 without its mark', utf16(FINE_FILE).subarray(2), null, 'pool', /zero bytes/, /save it as UTF-8/i],
  ['Latin-1', Buffer.from(line(4, '  name: Küche'), 'latin1'), null, 'pool', /line 4 has a byte that is not UTF-8/, /save it as UTF-8/i],
  ['zero bytes', Buffer.from(`\0\0\0\0${FINE_FILE}`), null, 'pool', /zero bytes/, /save it as UTF-8/i],
  ['a large file', Buffer.from(`${FINE_FILE}#${'x'.repeat(140_000)}\n`), null, 'pool', /131072/, /the right file/],
];

function utf16(text: string): Uint8Array {
  return Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(text, 'utf16le')]);
}
