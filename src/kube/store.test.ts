import { describe, expect, it } from 'vitest';
import { aConfigMap } from '../../test/fakes/api-server.ts';
import type { KubeObject } from './resource.ts';
import { isOlder, Store, type Stored } from './store.ts';

interface Kept extends Stored {
  readonly owner: string;
}

function project(object: KubeObject): Kept {
  const { name, namespace = '', uid = '', resourceVersion = '' } = object.metadata;
  return { name, namespace, uid, resourceVersion, owner: (object['data'] as Record<string, string>)['owner'] ?? '' };
}

function store() {
  const changes: string[] = [];
  const subject = new Store<Kept>(
    project,
    (object) => object.owner,
    ({ before, after }) => {
      changes.push(`${before?.uid ?? '-'}@${before?.resourceVersion ?? '-'} ${after?.uid ?? '-'}@${after?.resourceVersion ?? '-'}`);
    },
  );
  return { subject, changes };
}

function listed(...objects: KubeObject[]): Kept[] {
  return objects.map(project);
}

describe('Store', () => {
  it('tells what has come, changed and gone since the last list, and nothing of the rest', () => {
    const { subject, changes } = store();
    subject.replace(listed(aConfigMap('a', '1'), aConfigMap('b', '2')), '2');
    changes.length = 0;
    expect(subject.replace(listed(aConfigMap('a', '1'), aConfigMap('c', '3')), '3')).toBe(2);
    expect(changes).toEqual(['-@- uid-c@3', 'uid-b@2 -@-']);
  });

  it('takes the same version again that a list shows in another shape, as after a change of the schema', () => {
    const { subject, changes } = store();
    const shown = (shownBytes: number): Kept[] => listed(aConfigMap('a', '1')).map((object) => ({ ...object, shownBytes }));
    subject.replace(shown(50), '1');
    expect([subject.replace(shown(50), '1'), subject.replace(shown(40), '2')]).toEqual([0, 1]);
    expect(changes).toHaveLength(2);
    expect(subject.get('ns', 'a')?.shownBytes).toBe(40);
  });

  it('takes an object that was deleted and made again for two', () => {
    const { subject, changes } = store();
    subject.replace(listed(aConfigMap('a', '1', { uid: 'u1' })), '1');
    changes.length = 0;
    subject.apply('modified', aConfigMap('a', '5', { uid: 'u2' }));
    expect(changes).toEqual(['u1@1 -@-', '-@- u2@5']);
    subject.apply('deleted', aConfigMap('a', '4', { uid: 'u1' }));
    expect(subject.get('ns', 'a')?.uid).toBe('u2');
  });

  it('sees its own writes at once, and does not go back to what the watch still reports from before', () => {
    const { subject, changes } = store();
    subject.replace(listed(aConfigMap('a', '1')), '1');
    subject.put(aConfigMap('a', '7'));
    changes.length = 0;
    subject.apply('modified', aConfigMap('a', '5'));
    subject.apply('modified', aConfigMap('a', '7'));
    expect(changes).toEqual([]);
    expect(subject.get('ns', 'a')?.resourceVersion).toBe('7');
  });

  it('is not brought to believe in an object again that is gone', () => {
    const { subject } = store();
    subject.replace(listed(aConfigMap('a', '1')), '1');
    subject.apply('deleted', aConfigMap('a', '9'));
    subject.put(aConfigMap('a', '8'));
    expect(subject.get('ns', 'a')).toBeNull();
  });

  it('counts the versions of each namespace by themselves where each is listed and watched by itself', () => {
    const { subject } = store();
    subject.replace(listed(), '100', 'ns');
    subject.replace(listed(), '600', 'other');
    subject.put(aConfigMap('a', '500'));
    expect(subject.get('ns', 'a')?.resourceVersion).toBe('500');
    subject.apply('deleted', aConfigMap('a', '700'));
    subject.put(aConfigMap('a', '650'));
    expect(subject.get('ns', 'a')).toBeNull();
  });

  it('follows an API server that was restored from a backup and counts back', () => {
    const { subject } = store();
    subject.replace(listed(aConfigMap('a', '900')), '900');
    subject.replace(listed(aConfigMap('a', '100')), '100');
    expect(subject.get('ns', 'a')?.resourceVersion).toBe('100');
  });

  it('finds objects by index, in order, wherever they move', () => {
    const { subject } = store();
    subject.apply('added', aConfigMap('b', '1', { data: { owner: 'x' } }));
    subject.apply('added', aConfigMap('a', '2', { data: { owner: 'x' } }));
    expect(subject.by('x').map((object) => object.name)).toEqual(['a', 'b']);
    subject.apply('modified', aConfigMap('a', '3', { data: { owner: 'y' } }));
    expect([subject.by('x'), subject.by('y')].map((objects) => objects.map((object) => object.name))).toEqual([['b'], ['a']]);
    subject.apply('deleted', aConfigMap('a', '4'));
    expect(subject.by('y')).toEqual([]);
  });
});

describe('isOlder', () => {
  it('compares versions as numbers, and takes what is none for new', () => {
    expect(isOlder('9', '10')).toBe(true);
    expect(isOlder('10', '10')).toBe(false);
    expect(isOlder('18446744073709551615', '18446744073709551614')).toBe(false);
    expect(isOlder('abc', '10')).toBe(false);
  });
});
