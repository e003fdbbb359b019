import { describe, expect, it } from 'vitest';
import { anActualServer, aServer, aStructure } from '../../../test/fakes/pools.ts';
import type { ProbeOutcome } from '../greeting.ts';
import { WatchedServer } from './watched-server.ts';

const { check } = aStructure();
const SERVER = aServer(1);

/** A server that is up, with so many sessions, and a clock in seconds that goes on by one with each step. */
class Story {
  readonly watched: WatchedServer;
  #second = 0;
  #bytes = 16;
  #sessions: number;

  constructor(sessions: number, passive = false) {
    this.#sessions = sessions;
    this.watched = new WatchedServer({ ...SERVER, passive }, anActualServer(SERVER), 0, 0);
  }

  get now(): number {
    return this.#second * 1_000;
  }

  /** Time passes: its sessions are looked at once a second. @param served whether they have something each time */
  pass(seconds: number, served: boolean): this {
    for (let passed = 0; passed < seconds; passed += 1) {
      this.#second += 1;
      this.look();
      if (served) this.#bytes += 20;
      const totals = new Map(Array.from({ length: this.#sessions }, (_, session) => [`1:${session}`, this.#bytes]));
      this.watched.lookAtTotals(totals, this.now);
    }
    return this;
  }

  /** Its sessions were closed. */
  emptied(): this {
    this.#sessions = 0;
    return this.pass(1, false);
  }

  /** @param clientErrors of clients @param silent those of them that were connected and got no greeting */
  look(clientErrors = 0, operational: 'up' | 'down' = 'up', silent = 0): this {
    const found = anActualServer(SERVER, { operational });
    this.watched.look(
      this.watched.server,
      { found, sessions: this.#sessions, clientErrors: { all: clientErrors, silent } },
      check,
      this.now,
    );
    return this;
  }

  probe(kind: Exclude<ProbeOutcome['kind'], 'local'>, connections = 1): this {
    this.watched.probed({ outcome: { kind }, connections }, check, this.now, 0.5);
    return this;
  }
}

describe('a server that is silent to new connections', () => {
  it('is hung once its own sessions have stood still for as long as eight answers take', () => {
    const story = new Story(20).pass(30, true).pass(1, false).look(1).pass(1, false).probe('silent', 2);
    expect(story.watched.ruling).toMatchObject({ state: 'hung', usable: false });
    story.emptied().probe('silent');
    expect([story.watched.hung, story.watched.ruling.state]).toEqual([false, 'hung']); // still, once nobody is left
    expect(story.probe('greeted').probe('greeted').watched.ruling.state).toBe('up');
  });

  it('is full while they go on: at more than it ever took it has a limit, and that is used', () => {
    const story = new Story(20).pass(3, true).look(1).probe('silent', 2).pass(2, true);
    expect(story.watched.ruling).toMatchObject({ state: 'full', learnedLimit: 20, usable: true, ownChecks: false });
    expect(story.pass(300, true).watched.hung).toBe(false);
  });

  it('is no news the moment before it is known what its sessions have had', () => {
    const story = new Story(20).pass(3, true).look(1).probe('silent', 2);
    expect(story.watched.ruling.state).toBe('full');
  });
});

describe('a server that clients have trouble with', () => {
  it('is asked at once, and gets no new session while it does not answer', () => {
    const story = new Story(5).pass(3, true).look(1);
    expect(story.watched.nextProbeAt).toBe(story.now);
    story.watched.doubt();
    expect(story.watched.ruling).toMatchObject({ state: 'checking', usable: false, doubted: true, cause: null });
    expect(story.probe('greeted').watched.ruling).toMatchObject({ state: 'up', usable: true });
  });

  it('is not asked again at once while it greets all the same, ever less so', () => {
    const story = new Story(5).pass(3, true).look(1).probe('greeted');
    const next = story.watched.nextProbeAt;
    expect(story.look(1).watched.nextProbeAt).toBe(next);
    expect(story.pass(3, true).look(1).watched.nextProbeAt).toBe(story.now);
  });

  it('is not asked because HAProxy has not followed yet', () => {
    const story = new Story(5).pass(3, true).look(1);
    story.watched.doubt();
    story.probe('greeted');
    const next = story.watched.nextProbeAt;
    expect(story.look(0, 'down').watched.nextProbeAt).toBe(next);
    expect(story.pass(4, true).look(0, 'down').watched.nextProbeAt).toBe(story.now);
  });

  it('rests where it is not to be probed, and is tried again', () => {
    const story = new Story(0, true).pass(1, true);
    expect(story.look(2).watched.ruling.usable).toBe(true);
    expect(story.look(1).watched.ruling).toMatchObject({ state: 'down', cause: 'unserved', usable: false });
    story.watched.rested(check, story.now);
    expect(story.watched.ruling.usable).toBe(true);
    expect(story.look(1).watched.ruling.usable).toBe(false);
  });
});

describe('a server that refuses new connections', () => {
  it('bans the proxy while its sessions have something, and is down once nothing comes', () => {
    const story = new Story(13).pass(20, true);
    story.probe('greeted').probe('refused').probe('refused').probe('refused');
    expect(story.watched.ruling).toMatchObject({ state: 'down', cause: 'refused' });
    expect(story.pass(1, true).watched.ruling).toMatchObject({ state: 'refusing', cause: 'rejected', ownChecks: false });
    const rarely = new Story(13).pass(20, true).probe('refused').probe('refused').probe('refused').pass(2, false);
    expect(rarely.pass(1, true).probe('refused').watched.ruling.state).toBe('refusing'); // it was asked again meanwhile
    expect(new Story(13).pass(20, true).probe('refused').probe('refused').probe('refused').pass(5, false).watched.ruling.state).toBe(
      'down',
    );
  });
});

describe('a server that is not to be probed', () => {
  const silentTwice = (story: Story): boolean => story.look(1, 'up', 1).look(1, 'up', 1).watched.hung;

  it('is hung where clients were connected and got no greeting, and its sessions stand still from then on', () => {
    const story = new Story(20, true).pass(30, true);
    silentTwice(story);
    expect(story.pass(5, false).watched.hung).toBe(true);
  });

  it('is not hung for trouble of any other kind: an outage, a ban, an error of this machine', () => {
    const story = new Story(20, true).pass(30, true);
    expect(story.look(3).look(3).pass(60, false).watched.hung).toBe(false);
  });

  it('learns no limit, for no session would ever try more', () => {
    const story = new Story(20, true).pass(30, true);
    silentTwice(story);
    expect(story.pass(2, true).watched.ruling).toMatchObject({ learnedLimit: null });
  });
});

describe('whether a server can take the clients of another', () => {
  it('is known from what was heard since: a greeting, or its sessions', () => {
    const story = new Story(5).pass(3, true);
    const since = story.now;
    expect(story.pass(2, false).watched.answersSince(since)).toBe(false);
    expect(story.pass(2, true).watched.answersSince(since)).toBe(true);
    expect(new Story(0).pass(1, false).probe('greeted').watched.answersSince(1_000)).toBe(true);
  });

  it('is taken for granted of one that is not to be probed while it has no session, and only then', () => {
    expect(new Story(0, true).pass(1, false).watched.answersSince(1_000)).toBe(true);
    expect(new Story(5, true).pass(1, false).watched.answersSince(1_000)).toBe(false);
  });
});

describe('a quiet server', () => {
  it('that greets too late once is not hung for what was still before', () => {
    const story = new Story(20).pass(1, true).pass(120, false).look(1).probe('silent', 2);
    expect(story.watched.hung).toBe(false);
    expect(story.pass(3, false).watched.hung).toBe(false);
    expect(story.pass(60, false).watched.hung).toBe(true);
  });

  it('without sessions that sends no greeting is down, and does not count as refusing', () => {
    const story = new Story(0).pass(5, false).probe('silent').probe('silent').probe('silent').pass(2, false);
    expect(story.watched.ruling).toMatchObject({ state: 'down', cause: 'silent' });
  });
});
