import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const CGROUPS = '/sys/fs/cgroup';

/** Where every hierarchy of the machine begins: one in the new form, several in the old one. */
async function hierarchies(): Promise<string[]> {
  if (existsSync(join(CGROUPS, 'cgroup.controllers'))) return [CGROUPS];
  const names = await readdir(CGROUPS);
  return names.map((name) => join(CGROUPS, name)).filter((path) => existsSync(join(path, 'cgroup.procs')));
}

/** A group of its own for every pod of a cluster. The kubelet makes those below it, but not this one. */
export async function makeGroups(name: string): Promise<void> {
  for (const root of await hierarchies()) {
    await mkdir(join(root, name), { recursive: true });
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      const inherited = await readFile(join(root, file), 'utf8').catch(() => ''); // the old form gives a new group none
      if (inherited !== '' && root !== CGROUPS) await writeFile(join(root, name, file), inherited);
    }
  }
}

/** The groups are the machine's and do not go with the namespaces. */
export async function removeGroups(name: string): Promise<void> {
  for (const root of await hierarchies()) await removeGroup(join(root, name));
}

async function removeGroup(path: string): Promise<void> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []); // it is not there
  for (const entry of entries) if (entry.isDirectory()) await removeGroup(join(path, entry.name));
  await rmdir(path).catch(() => undefined); // not there, or somebody is in it still
}
