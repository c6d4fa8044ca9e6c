import { describe, expect, it } from 'vitest';
import type { SecuredLink } from '../net/index.ts';
import { idNotFound, peerSilent, punchFailed } from './errors.ts';
import { PathRace } from './race.ts';

interface Gate<T> {
  promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
}

function gate<T>(): Gate<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

function fakeLink(): SecuredLink & { destroyed: boolean } {
  const link = { destroyed: false, destroy: () => (link.destroyed = true) };
  return link as unknown as SecuredLink & { destroyed: boolean };
}

describe('PathRace', () => {
  it('takes the first good link, closes a later one, and says what became of each', async () => {
    const race = new PathRace(new AbortController().signal);
    const slow = gate<SecuredLink>();
    const quick = gate<SecuredLink>();
    const winner = fakeLink();
    const loser = fakeLink();
    race.attempt('tcp', () => slow.promise);
    race.attempt('udp', () => quick.promise);
    quick.resolve(winner);
    const result = await race.result;
    slow.resolve(loser);
    await slow.promise;
    await Promise.resolve();
    expect(result.path).toBe('udp');
    expect(result.link).toBe(winner);
    expect(winner.destroyed).toBe(false);
    expect(loser.destroyed).toBe(true);
    expect(race.signal.aborted).toBe(true);
    expect(result.attempts.map(({ path, outcome }) => `${path} ${outcome}`)).toEqual(['udp ok', 'tcp cancelled']);
  });

  it('goes on when one path fails, and lets it be followed by another', async () => {
    const race = new PathRace(new AbortController().signal);
    const winner = fakeLink();
    race.attempt(
      'tcp',
      () => Promise.reject(punchFailed('refused')),
      () => race.attempt('relay', () => Promise.resolve(winner)),
    );
    const result = await race.result;
    expect(result.path).toBe('relay');
    expect(result.attempts.map(({ outcome }) => outcome)).toEqual(['failed', 'ok']);
  });

  it('reports the failure that explains most when nothing worked', async () => {
    const race = new PathRace(new AbortController().signal);
    race.attempt('tcp', () => Promise.reject(punchFailed('refused')));
    race.task(() => Promise.reject(peerSilent('123456789', 9_000)));
    await expect(race.result).rejects.toMatchObject({ code: 'PEER_NO_ANSWER' });
  });

  it('is not lost while a task may still add a path', async () => {
    const race = new PathRace(new AbortController().signal);
    const lookup = gate<void>();
    const winner = fakeLink();
    race.attempt('tcp', () => Promise.reject(punchFailed('refused')));
    race.task(async () => {
      await lookup.promise;
      race.attempt('relay', () => Promise.resolve(winner));
    });
    await Promise.resolve();
    expect(race.over).toBe(false);
    lookup.resolve();
    expect((await race.result).path).toBe('relay');
  });

  it('ends at once with an error that no path could mend', async () => {
    const race = new PathRace(new AbortController().signal);
    race.attempt('tcp', () => new Promise(() => {}));
    race.fail(idNotFound('123456789'));
    await expect(race.result).rejects.toMatchObject({ code: 'ID_NOT_FOUND' });
    expect(race.attempts).toMatchObject([{ path: 'tcp', outcome: 'cancelled' }]);
  });

  it('ends when it is cancelled', async () => {
    const abort = new AbortController();
    const race = new PathRace(abort.signal);
    race.attempt('tcp', () => new Promise(() => {}));
    abort.abort();
    await expect(race.result).rejects.toMatchObject({ code: 'ABORTED' });
    expect(race.signal.aborted).toBe(true);
  });
});
