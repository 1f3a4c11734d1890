import { expect, test, vi } from 'vitest';
import { housekeep } from '../../src/core/housekeeping.ts';
import { MAX_NEWEST } from '../../src/core/attempt/purposes.ts';
import { createTestApp, tidy } from '../support/app.ts';

const DAY = 86_400_000;

test('ASVS 14.2.7: what is over is removed, however much there is, and what is not stays', async () => {
  const app = await createTestApp();
  const user = await app.register();
  const fill = (table: string, columns: string, row: string) =>
    app.db.write([
      {
        sql: `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3500) INSERT INTO ${table} (${columns}) SELECT ${row} FROM n`,
        params: [],
        map: () => [],
        returns: false,
      },
    ]);
  await fill(
    'attempt',
    'purpose, subject, scope_kind, scope_id, failures, recent, last_at, blocked_until',
    `'registration_link', 'n' || i, 'anybody', '', 50, 50, 0, 0`,
  );
  await fill(
    'attempt',
    'purpose, subject, scope_kind, scope_id, failures, recent, last_at, blocked_until',
    `'password', 'user', 'device', 'd' || i, 3, 3, 0, 0`,
  );
  await fill('revocation', 'session_id, expires_at', `'s' || i, 1`);
  await app.db.write([
    {
      sql: `INSERT INTO attempt (purpose, subject, scope_kind, scope_id, owner_user_id, failures, recent, last_at, blocked_until) VALUES ('password', ?, 'anybody', '', ?, 100, 100, 0, 0)`,
      params: [user.userId, user.userId],
      map: () => [],
      returns: false,
    },
  ]);
  await tidy(app);
  const count = async (table: string) =>
    (
      await app.db.read({
        sql: `SELECT count(*) FROM ${table}`,
        params: [],
        map: (r) => r.map((c) => c[0]),
        returns: true,
      })
    )[0];
  expect([
    await count(`attempt WHERE purpose <> 'readiness'`),
    await count('revocation'),
    await count('session'),
  ]).toEqual([1, 0, 1]);
  app.clock.advance(32 * DAY);
  await tidy(app);
  expect(await count('session')).toBe(0);
  expect(user.userId).toBeTruthy();
  await app.stop();
});

test('E05: a locked counter of a name without an account is kept as that of one with it; so many, and no more', async () => {
  const app = await createTestApp();
  const user = await app.register();
  const locked = (purpose: string, subject: string, owner: string | null) => ({
    sql: `INSERT INTO attempt (purpose, subject, scope_kind, scope_id, owner_user_id, failures, recent, last_at, blocked_until) VALUES (?, ?, 'anybody', '', ?, 100, 100, 1, 1)`,
    params: [purpose, subject, owner],
    map: () => [],
    returns: false,
  });
  const left = async () =>
    app.db.read({
      sql: `SELECT purpose, count(*) FROM attempt WHERE purpose <> 'readiness' GROUP BY purpose ORDER BY purpose`,
      params: [],
      map: (rows) => rows,
      returns: true,
    });
  await app.db.write([
    locked('password', user.userId, user.userId),
    locked('unknown_name', 'nobody', null),
  ]);
  app.clock.advance(30 * DAY);
  await tidy(app);
  expect(await left()).toEqual([
    ['password', 1],
    ['unknown_name', 1],
  ]);
  await app.db.write([
    {
      sql: `WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < ${MAX_NEWEST + 500}) INSERT INTO attempt (purpose, subject, scope_kind, scope_id, failures, recent, last_at, blocked_until) SELECT 'unknown_name', 'n' || i, 'anybody', '', 1, 1, i, 0 FROM n`,
      params: [],
      map: () => [],
      returns: false,
    },
  ]);
  const read = vi.spyOn(app.db, 'read');
  await tidy(app);
  // Finding the bound walks 50,000 entries of an index: once a run (another may be under way), not for each batch.
  const bounds = read.mock.calls.filter(([{ sql }]) => /from "attempt".* offset /.test(sql));
  read.mockRestore();
  expect([bounds.length > 0, bounds.length <= 2]).toEqual([true, true]);
  const [, [, count] = []] = await left();
  expect([Number(count) <= MAX_NEWEST + 1, Number(count) >= MAX_NEWEST]).toEqual([true, true]);
  await app.stop();
});

test('L08: a step removes as many rows as block the event loop for a few milliseconds', async () => {
  for (const [rowMs, least, most] of [
    [0.05, 25, 100],
    [10, 10, 50],
    [0.000_1, 50, 1_000],
  ] as const) {
    let now = 0;
    let left = 20_000;
    const sizes: number[] = [];
    const clock = { now: () => now, monotonic: () => now };
    const write = ([{ params }]: readonly [{ params: readonly unknown[] }]): Promise<unknown[][]> =>
      new Promise((resolve) =>
        setImmediate(() => {
          const removed = Math.min(Number(params[0]), left);
          left -= removed;
          now += removed * rowMs;
          resolve([Array.from({ length: removed })]);
        }),
      );
    const sweep = ({ batch }: { batch: number }) => {
      sizes.push(batch);
      return { sql: '', params: [batch], map: () => [], returns: true };
    };
    // Only these members are used.
    const deps = { db: { write } as never, clock };
    await housekeep(deps, [{ sweep, keptMs: 0 }], new AbortController().signal);
    expect(left).toBe(0);
    expect(Math.min(...sizes)).toBeGreaterThanOrEqual(least);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(most);
  }
});
