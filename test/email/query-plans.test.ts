/** No statement about emails, codes or what is purged reads a table from end to end. */
import { join } from 'node:path';
import Libsql from 'libsql';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { listOutbox } from '../../src/core/email/outbox.ts';
import type { Statement } from '../../src/db/database.ts';
import { emailChannel } from '../../src/delivery/channels.ts';
import { createCourier } from '../../src/delivery/courier.ts';
import { createSystemRandom } from '../../src/crypto/secret.ts';
import { PASSWORD, createTestApp, tidy } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp();
});
afterAll(() => app.stop());

/** Tables of this program; SQLite names what it makes itself differently. */
const WHOLE_TABLE = /^SCAN (?!\(|CONSTANT|json_each|status_counter|signing_key)/;

/** What SQLite would do for a statement, a line a step. */
function planOf({ sql, params }: Statement): string[] {
  const db = new Libsql(join(app.directory, 'postern.db'));
  try {
    const rows = db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...params);
    return rows.map((row) => String(Object(row).detail));
  } finally {
    db.close();
  }
}

test('every statement of the emails and of the purge finds its rows by an index', async () => {
  const seen = new Map<string, Statement>();
  const note = (statements: readonly Statement[]): void => {
    for (const statement of statements) seen.set(statement.sql, statement);
  };
  const { write, read } = app.db;
  const spies = [
    vi.spyOn(app.db, 'write').mockImplementation((statements, patienceMs) => {
      note(statements);
      return write(statements, patienceMs);
    }),
    vi.spyOn(app.db, 'read').mockImplementation((statement) => {
      note([statement]);
      return read(statement);
    }),
  ];
  const post = (path: string, body: object, token?: string) =>
    app.call('POST', path, { body, ...(token === undefined ? {} : { token }) });
  const begun = await post('/register', { email: 'ada@example.com', password: PASSWORD });
  await post('/register/resend', { registration_id: begun.body.registration_id });
  const code = (await app.emails('ada@example.com'))[0]?.values['code'];
  const made = await post('/register/verify', {
    registration_id: begun.body.registration_id,
    code,
  });
  const { access_token: token } = made.body;
  await post('/password/forgot', { username: 'ada@example.com' });
  await post('/password/forgot', { username: 'nobody@example.com' });
  await app.call('PATCH', '/me', { token, body: { email: 'new@example.com' } });
  await post('/email/verify', { code: 'wrong!' }, token);
  await post('/email/verify/resend', {}, token);
  const courier = createCourier({
    db: app.db,
    sealer: app.kernel.sealer,
    clock: app.clock,
    random: createSystemRandom(),
    log: app.kernel.log,
    transports: [
      {
        name: 'none',
        send: () => Promise.resolve(),
        rehearse: () => Promise.resolve(),
        close: () => undefined,
      },
    ],
    channel: 'email',
    render: emailChannel('postern', () => null),
  });
  await courier.deliverDue();
  await courier.close();
  await tidy(app);
  await app.call('DELETE', '/me', { token });
  for (const spy of spies) spy.mockRestore();
  expect(seen.size).toBeGreaterThan(40);
  const scans = [...seen.values()].flatMap((statement) => {
    const whole = planOf(statement).filter((line) => WHOLE_TABLE.test(line));
    return whole.length === 0 ? [] : [{ sql: statement.sql, whole }];
  });
  expect(scans).toEqual([]);
  expect(await listOutbox(app.db)).toEqual([]);
});
