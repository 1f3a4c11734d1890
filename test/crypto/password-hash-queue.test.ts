import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, test, vi } from 'vitest';
import { Refusal } from '../../src/refusal.ts';
import { createLanes, handful } from '../../src/crypto/hash-lanes.ts';
import { rig } from './hasher-rig.ts';

const CTX = { account: 'ada', client: 'here' };
const LANE = new URL('../../src/crypto/hash-lane.mjs', import.meta.url);

/** A cheap job; with less than 8 bytes of salt, one that argon2 refuses. */
const makeJob = (saltBytes: number) => ({
  password: 'x',
  check: null,
  inner: null,
  foreign: null,
  make: {
    memoryKiB: 64,
    passes: 1,
    lanes: 1,
    salt: new Uint8Array(saltBytes),
    secret: null,
    length: 32,
  },
  pad: null,
});

const FAILING_LANE = new URL('./failing-lane.mjs', import.meta.url);

/** The code that a promise is refused with, or how it ended otherwise. */
async function ending(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'fulfilled',
    (error: unknown) => {
      if (error instanceof Refusal) return error.code;
      return error instanceof Error ? error.name : 'unknown';
    },
  );
}

describe('the queue in front', () => {
  test('G5, P07: past its length the answer is overloaded with a Retry-After, at once and without work', async () => {
    const { hasher, done } = rig({ queueLength: 4, queueLengthPerAccount: 4 });
    const endings = await Promise.all(
      Array.from({ length: 9 }, (_, n) =>
        ending(hasher.verify(null, 'x', { account: `${n}`, client: 'here' })),
      ),
    );
    expect(endings).toEqual([...Array(5).fill('fulfilled'), ...Array(4).fill('overloaded')]);
    expect(done).toHaveLength(5);
    expect(hasher.stats()).toMatchObject({
      depth: 0,
      running: 0,
      rejected: 4,
      rejectedBy: { queue_full: 4 },
    });
    const burst = Array.from({ length: 6 }, (_, n) =>
      hasher.hash('x', { account: `${n}`, client: 'here' }),
    );
    const [last] = await Promise.allSettled(burst.slice(5));
    expect(last).toMatchObject({
      status: 'rejected',
      reason: { code: 'overloaded', options: { retryAfterSeconds: 1 } },
    });
    await Promise.all(burst.slice(0, 5));
  });

  test('G5: one name fills its share and no more, and others go before its crowd', async () => {
    const { hasher } = rig({ queueLength: 64, queueLengthPerAccount: 5 });
    const order: string[] = [];
    const run = (account: string): Promise<string> =>
      ending(hasher.verify(null, 'x', { account, client: 'here' }).then(() => order.push(account)));
    const crowd = Array.from({ length: 10 }, () => run('mallory'));
    const others = ['ada', 'bob'].map(run);
    expect((await Promise.all(crowd)).filter((code) => code === 'overloaded')).toHaveLength(4);
    await Promise.all(others);
    expect(order).toEqual([
      'mallory',
      'mallory',
      'ada',
      'bob',
      'mallory',
      'mallory',
      'mallory',
      'mallory',
    ]);
    expect(hasher.stats().rejectedBy.account_full).toBe(4);
  });

  test('G5, G11: an entry whose deadline has passed by the monotonic clock is refused before any work', async () => {
    let now = 0;
    const { hasher, done } = rig({ clock: { monotonic: () => now }, deadlineMs: 100 });
    const first = hasher.verify(null, 'x', CTX);
    const waiting = Array.from({ length: 3 }, (_, n) =>
      ending(hasher.verify(null, 'x', { account: `${n}`, client: 'here' })),
    );
    now = 100;
    const late = ending(hasher.verify(null, 'x', { account: 'late', client: 'here' }));
    await first;
    expect(await Promise.all(waiting)).toEqual(['overloaded', 'overloaded', 'overloaded']);
    expect(await late).toBe('fulfilled');
    expect(done).toHaveLength(2);
    expect(hasher.stats().rejectedBy.deadline).toBe(3);
  });

  test('the deadline acts even while every lane is held by long work', async () => {
    const { hasher } = rig({ memoryKiB: 65_536, passes: 10, deadlineMs: 20 });
    const first = hasher.verify(null, 'x', CTX);
    const start = performance.now();
    const second = await ending(hasher.verify(null, 'x', CTX));
    expect(second).toBe('overloaded');
    expect(hasher.stats().running, `after ${performance.now() - start} ms`).toBe(1);
    await first;
  });

  test('an entry aborted while waiting is dropped without hashing, and leaves its place to others', async () => {
    const { hasher, done } = rig({ queueLength: 8, queueLengthPerAccount: 8 });
    const first = hasher.verify(null, 'x', CTX);
    const aborts = Array.from({ length: 8 }, () => new AbortController());
    const dropped = aborts.map(({ signal }) =>
      ending(hasher.verify(null, 'x', { account: 'gone', client: 'here', signal })),
    );
    expect(hasher.stats().depth).toBe(8);
    for (const abort of aborts) abort.abort();
    expect(hasher.stats().depth).toBe(0);
    expect(await Promise.all(dropped)).toEqual(Array(8).fill('AbortError'));
    expect(
      await ending(
        hasher.verify(null, 'x', { account: 'gone', client: 'here', signal: AbortSignal.abort() }),
      ),
    ).toBe('AbortError');
    await Promise.all([first, hasher.verify(null, 'x', CTX)]);
    expect(done).toHaveLength(2);
  });

  test('aborting after the work has begun changes nothing', async () => {
    const { hasher } = rig();
    const abort = new AbortController();
    const running = hasher.hash('x', { account: 'ada', client: 'here', signal: abort.signal });
    abort.abort();
    expect(await running).toMatch(/^\$argon2id/);
  });

  test('P07: 200 in flight never run on more lanes than there are, and each gets its own answer', async () => {
    const { hasher } = rig({ threads: 2, queueLength: 256, queueLengthPerAccount: 256 });
    const stored = await Promise.all(['one', 'two'].map((password) => hasher.hash(password, CTX)));
    let most = 0;
    const results = await Promise.all(
      Array.from({ length: 200 }, async (_, n) => {
        const { ok } = await hasher.verify(stored[n % 2] ?? null, n % 3 === 0 ? 'one' : 'two', {
          account: `${n % 7}`,
          client: 'here',
        });
        most = Math.max(most, hasher.stats().running);
        return ok;
      }),
    );
    expect(results).toEqual(results.map((_, n) => (n % 2 === 0) === (n % 3 === 0)));
    expect(most).toBeLessThanOrEqual(2);
  });

  test('a lane is given several at once only while many wait and a hash is short', () => {
    expect([0, 1, 5, 6, 12, 18, 1000].map((waiting) => handful(waiting, 10))).toEqual([
      1, 1, 1, 2, 3, 4, 4,
    ]);
    expect([20, 30, 31, 60, 500].map((usualMs) => handful(1000, usualMs))).toEqual([3, 2, 1, 1, 1]);
  });

  test('of those that a lane was given at once each gets its own answer', async () => {
    const { hasher, done } = rig({ queueLength: 64, queueLengthPerAccount: 64 });
    const stored = await hasher.hash('right', CTX);
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, n) =>
        hasher.verify(stored, n % 3 === 0 ? 'right' : `wrong ${n}`, {
          account: `${n % 7}`,
          client: 'here',
        }),
      ),
    );
    expect(answers.map(({ ok }) => ok)).toEqual(answers.map((_, n) => n % 3 === 0));
    expect(done).toHaveLength(41);
  });

  test('of those that a lane was given at once the one that fails fails alone', async () => {
    const lanes = createLanes({ threads: 1, laneUrl: LANE, onFree: () => undefined });
    const replies = await lanes.run([makeJob(16), makeJob(4), makeJob(16)]);
    expect(replies.map(({ made, error }) => [made?.length ?? null, error === null])).toEqual([
      [32, true],
      [null, false],
      [32, true],
    ]);
    await lanes.close();
  });

  test('close lets running work end, refuses what waits and what comes', async () => {
    const { hasher } = rig();
    const running = ending(hasher.hash('x', CTX));
    const waiting = ending(hasher.hash('x', CTX));
    const closed = hasher.close();
    const late = ending(hasher.hash('x', CTX));
    expect(await Promise.all([running, waiting, late])).toEqual([
      'fulfilled',
      'overloaded',
      'overloaded',
    ]);
    await closed;
    expect(hasher.stats().rejectedBy.closed).toBe(2);
  });
});

describe('the lanes', () => {
  test.each(['die', 'throw'])(
    'a lane that dies of %j loses its own work alone; another takes its place',
    async (cause) => {
      const { hasher } = rig({ laneUrl: FAILING_LANE });
      await hasher.ready();
      const lost = hasher.hash(cause, CTX);
      const next = [
        hasher.hash('kept', CTX),
        hasher.hash('kept too', { account: 'bob', client: 'here' }),
      ];
      await expect(lost).rejects.toThrow(/^a hash lane died/);
      for (const stored of await Promise.all(next)) expect(stored).toMatch(/^\$argon2id/);
      expect(hasher.stats()).toMatchObject({ depth: 0, running: 0, rejected: 0 });
    },
  );

  test('ready rejects when a lane can not load, so that the start can report it', async () => {
    const { hasher } = rig({ laneUrl: new URL('./no-such-lane.mjs', import.meta.url) });
    await expect(hasher.ready()).rejects.toThrow(/^a hash lane died/);
  });

  test('lanes start when there is work, as many as it needs, and end when there is none', async () => {
    const lanes = createLanes({ threads: 3, laneUrl: LANE, idleMs: 20, onFree: () => undefined });
    expect([lanes.started, lanes.hasFree]).toEqual([0, true]);
    const first = lanes.run([makeJob(16)]);
    const second = lanes.run([makeJob(16)]);
    expect([lanes.started, lanes.running, lanes.hasFree]).toEqual([2, 2, true]);
    await Promise.all([first, second]);
    await vi.waitFor(() => expect(lanes.started).toBe(0), { timeout: 10_000 });
    expect((await lanes.run([makeJob(16)]))[0]?.made).toHaveLength(32);
    await lanes.close();
    await expect(lanes.run([makeJob(16)])).rejects.toThrow('no hash lane is free');
  });

  test('after a lane that could not load, its place stays empty for a while', async () => {
    const laneUrl = new URL('./no-such-lane.mjs', import.meta.url);
    const lanes = createLanes({ threads: 1, laneUrl, onFree: () => undefined });
    await expect(lanes.run([makeJob(16)])).rejects.toThrow(/^a hash lane died/);
    expect([lanes.started, lanes.hasFree]).toEqual([0, false]);
    await lanes.close();
  });

  test.runIf(process.platform === 'linux')(
    'each lane is niced to 10, and the event loop’s thread is not (Linux)',
    async () => {
      const { hasher } = rig({ threads: 3 });
      await hasher.ready();
      const niceness = (task: string): number => {
        const stat = readFileSync(`/proc/self/task/${task}/stat`, 'utf8');
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]);
      };
      const tasks = readdirSync('/proc/self/task');
      expect(tasks.filter((task) => niceness(task) === 10).length).toBeGreaterThanOrEqual(3);
      expect(niceness(String(process.pid))).toBe(0);
    },
  );
});
