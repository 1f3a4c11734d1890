/** What is refused for being too much leaves no row behind (T16, ASVS 15.2.2). */
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createTestApp } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';

let app: TestApp;
beforeAll(async () => {
  // Longer than a busy machine needs for the test: what waits must not go meanwhile.
  app = await createTestApp({ config: '[password]\ndeadline = "10s"\n' });
});
afterAll(() => app.stop());

const counters = async (): Promise<number> =>
  (
    await app.db.read({
      sql: "SELECT count(*) FROM attempt WHERE purpose <> 'readiness'",
      params: [],
      map: (rows) => rows.map(([count]) => Number(count)),
      returns: true,
    })
  )[0] ?? -1;

test('a flood of sign-ins with made-up names that is refused as overloaded writes nothing', async () => {
  await app.whileHashQueueIsFull(async () => {
    const write = vi.spyOn(app.db, 'write');
    const replies = await Promise.all(
      Array.from({ length: 60 }, (_, n) => app.login(`made-up-${n}`)),
    );
    expect(new Set(replies.map(({ body }) => body.code))).toEqual(new Set(['overloaded']));
    // Housekeeping writes too, at the start.
    const counted = write.mock.calls
      .flatMap(([statements]) => statements.map(({ sql }) => sql))
      .filter((sql) => /insert into "attempt"/.test(sql));
    expect([await counters(), counted]).toEqual([0, []]);
    write.mockRestore();
  });
});

test('one that was counted and then not looked at is given back whole', async () => {
  const { username } = await app.register();
  const { passwordHasher } = app.kernel;
  const { demandRoom } = passwordHasher;
  // Room when it is asked for, and none when it comes to hashing.
  Object.assign(passwordHasher, { demandRoom: () => undefined });
  const reply = await app.whileHashQueueIsFull(() => app.login(username));
  Object.assign(passwordHasher, { demandRoom });
  expect([reply.body.code, await counters()]).toEqual(['overloaded', 0]);
});
