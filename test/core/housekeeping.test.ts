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
    'throttle',
    'key, failures, recent, last_at, blocked_until',
    `'password:?' || i, 50, 50, 0, 0`,
  );
  await fill(
    'throttle',
    'key, failures, recent, last_at, blocked_until',
    `'password:user' || i, 3, 3, 0, 0`,
  );
  await fill('revocation', 'session_id, expires_at', `'s' || i, 1`);
  await app.db.write([
    {
      sql: `INSERT INTO throttle (key, failures, recent, last_at, blocked_until) VALUES ('password:' || ?, 100, 100, 0, 0)`,
      params: [user.userId],
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
  expect([await count('throttle'), await count('revocation'), await count('session')]).toEqual([
    1, 0, 1,
  ]);
  app.clock.advance(32 * DAY);
  await tidy(app);
  expect(await count('session')).toBe(0);
  expect(user.userId).toBeTruthy();
  await app.stop();
});
