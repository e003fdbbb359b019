/**
 * Says what an image was made from, as an in-toto statement with SLSA's provenance: commit, base images and dependencies, each by its digest.
 * It is not signed: the publisher of the image signs it. `node scripts/provenance.ts <tag> <digest> <platform> <base image>=<digest>[=stand-in]...`
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

const [tag = '', image = '', platform = '', ...bases] = process.argv.slice(2);
const lockfile = createHash('sha256').update(readFileSync('package-lock.json')).digest('hex');
const commit = git('rev-parse', 'HEAD');

const STAND_IN = 'a stand-in of that name, made from packages of Debian because it could not be pulled';
const statement = {
  _type: 'https://in-toto.io/Statement/v1',
  subject: [{ name: tag, digest: digestSet(image) }],
  predicateType: 'https://slsa.dev/provenance/v1',
  predicate: {
    buildDefinition: {
      buildType: 'https://cccam.dev/build/make-image/v1',
      externalParameters: { platform, ...(commit === null ? {} : { sourcesModified: git('status', '--porcelain') !== '' }) },
      resolvedDependencies: [
        ...(commit === null ? [] : [{ name: 'sources', digest: { gitCommit: commit } }]),
        { name: 'package-lock.json', digest: { sha256: lockfile } },
        ...bases.map((base) => {
          const [name = '', digest = '', standIn] = base.split('=');
          return { name, digest: digestSet(digest), ...(standIn === undefined ? {} : { annotations: { madeHere: STAND_IN } }) };
        }),
      ],
    },
    runDetails: { builder: { id: 'https://cccam.dev/build/local' } },
  },
};
console.log(JSON.stringify(statement, null, 2));

/** `sha256:<hex>`, with whatever stands before it, as a set of digests. @throws Error when there is none */
function digestSet(text: string): { readonly sha256: string } {
  const [, sha256] = /sha256:([0-9a-f]{64})$/.exec(text) ?? [];
  if (sha256 === undefined) throw new Error(`expected a digest, found "${text}"`);
  return { sha256 };
}

/** What git says; null outside of a repository, as in an unpacked archive of the sources. */
function git(...words: string[]): string | null {
  const { status, stdout } = spawnSync('git', words, { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : null;
}
