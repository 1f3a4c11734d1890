import { expect, test } from 'vitest';
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
    `'unknown_name', 'n' || i, 'anybody', '', 50, 50, 0, 0`,
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
