/**
 * `make audit`: the licences of what is bundled, and the vulnerabilities that the package registry knows of it. Ends with 1 when something is
 * found, and with 2 when the registry could not be asked: nothing is known then.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';

const SBOM = 'dist/sbom.cdx.json';
/** Licences that ask for their text and nothing more, which `dist/THIRD-PARTY-NOTICES.txt` gives. */
const PERMISSIVE = /^(0BSD|Apache-2\.0|BlueOak-1\.0\.0|BSD-[23]-Clause|ISC|MIT|Unlicense)$/;
const PATIENCE_MS = 60_000;

interface Licence {
  readonly license?: { readonly id: string };
  readonly expression?: string;
}

interface Component {
  readonly name: string;
  readonly version: string;
  readonly licenses: readonly Licence[];
}

interface Finding {
  readonly name: string;
  readonly severity: string;
  readonly range: string;
}

/** Packages with a licence that asks for more. */
function restrictive(components: readonly Component[]): string[] {
  return components.flatMap(({ licenses, name, version }) => {
    const ids = licenses.map(({ expression, license }) => license?.id ?? expression ?? 'none');
    return ids.every((id) => PERMISSIVE.test(id)) ? [] : [`${name} ${version}: ${ids.join(', ')}`];
  });
}

/** What the registry knows of the packages that a pod runs; a text says why it could not be asked. */
async function advisories(): Promise<readonly Finding[] | string> {
  const answer = await new Promise<string>((resolve) => {
    // npm ends with 1 for a finding as for a failure: what it prints tells which.
    execFile('npm', ['audit', '--omit=dev', '--json'], { timeout: PATIENCE_MS }, (error, stdout) => resolve(stdout || String(error)));
  });
  try {
    const report = JSON.parse(answer) as { readonly vulnerabilities?: Record<string, Finding>; readonly message?: string };
    return report.vulnerabilities === undefined ? (report.message ?? answer) : Object.values(report.vulnerabilities);
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) throw thrown;
    return answer;
  }
}

const { components } = JSON.parse(await readFile(SBOM, 'utf8')) as { components: readonly Component[] };
const unusual = restrictive(components);
console.log(`${components.length} packages are bundled (${SBOM}); ${unusual.length} with a licence that asks for more than its text`);
for (const each of unusual) console.log(`  ${each}`);
const known = await advisories();
if (typeof known === 'string') {
  console.log(`vulnerabilities: unknown. The registry could not be asked (${known.split('\n')[0]}).`);
  console.log(`Try again with a network, or give ${SBOM} to a scanner that has a database of its own.`);
} else {
  console.log(`vulnerabilities: ${known.length}`);
  for (const { name, range, severity } of known) console.log(`  ${name} ${range}: ${severity}`);
}
process.exitCode = unusual.length > 0 || (typeof known !== 'string' && known.length > 0) ? 1 : typeof known === 'string' ? 2 : 0;
