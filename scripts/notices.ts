import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A package whose code is in the bundle. */
interface Bundled {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly text: string;
}

/** Packages that these files belong to, in the order of their names. @param inputs paths of everything that was bundled @throws Error for one without a licence */
export async function bundledPackages(inputs: readonly string[]): Promise<readonly Bundled[]> {
  const folders = new Set(inputs.flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []));
  const packages = await Promise.all([...folders].map(read));
  return packages.sort((a, b) => (`${a.name}@${a.version}` < `${b.name}@${b.version}` ? -1 : 1));
}

async function read(folder: string): Promise<Bundled> {
  const { license, name, version } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as Partial<Record<string, unknown>>;
  const file = (await readdir(folder)).find((each) => /^(licen[cs]e|copying)/i.test(each));
  const text = file === undefined ? '' : await readFile(join(folder, file), 'utf8');
  if (typeof license !== 'string') throw new Error(`${folder} does not say its licence in one word`);
  return { name: String(name), version: String(version), license, text: text.trim() };
}

/** The licences of everything that is bundled, as most of them ask for. */
export function noticesText(packages: readonly Bundled[]): string {
  return packages.map(({ license, name, text, version }) => `${name} ${version} (${license})\n\n${text}\n`).join(`\n${'-'.repeat(78)}\n\n`);
}

/** Software bill of materials, CycloneDX 1.5. Says no time and no number of its own, so that the same bundle has the same one. */
export function sbomText(version: string, packages: readonly Bundled[]): string {
  const components = packages.map(({ license, name, version: its }) => ({
    type: 'library',
    name,
    version: its,
    purl: `pkg:npm/${name.replace(/^@/, '%40')}@${its}`,
    licenses: [/[ ()]/.test(license) ? { expression: license.replace(/^\((.*)\)$/, '$1') } : { license: { id: license } }],
  }));
  const component = { type: 'application', name: 'cccam-operator', version, licenses: [{ license: { id: 'Apache-2.0' } }] };
  return `${JSON.stringify({ bomFormat: 'CycloneDX', specVersion: '1.5', version: 1, metadata: { component }, components }, null, 2)}\n`;
}
