/**
 * `postern rekey --key-encryption-key`: every sealed value under the new key, beside the service,
 * with a kill -9 in the midst and no living session, seed, email or registration lost.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import Libsql from 'libsql';
import { expect, test } from 'vitest';
import { createSealer } from '../../src/crypto/seal.ts';
import { createSystemRandom } from '../../src/crypto/secret.ts';
import { codeAt } from '../support/mfa.ts';
import { environment, eventually, runProgram, startServer } from '../support/process.ts';
import { spawnProgram } from '../support/program.mjs';

const [FORMER, NEW, OTHER] = [1, 2, 3].map(() => randomBytes(32).toString('base64url'));
const former = { POSTERN_SECRETS_KEY_ENCRYPTION_KEY: FORMER ?? '' };
const onlyNew = { POSTERN_SECRETS_KEY_ENCRYPTION_KEY: NEW ?? '' };
const both = { ...onlyNew, POSTERN_SECRETS_PREVIOUS_KEY_ENCRYPTION_KEYS: FORMER ?? '' };
/** Nobody answers there: emails stay in the outbox. */
const NO_MAIL = {
  POSTERN_MAIL_TRANSPORTS: 'smtp',
  POSTERN_MAIL_FROM: 'auth@example.com',
  POSTERN_MAIL_SMTP_HOST: '127.0.0.1',
  POSTERN_MAIL_SMTP_PORT: '9',
  POSTERN_MAIL_SMTP_TLS: 'none',
};
/** So many that a kill comes in between. */
const MANY = 30_000;

const sealerOf = (key = ''): ReturnType<typeof createSealer> =>
  createSealer({ current: Buffer.from(key, 'base64url'), previous: [] }, createSystemRandom());

/** Pending registrations as there could be, for the number. */
function addMany(file: string): void {
  const sealer = sealerOf(FORMER);
  const db = new Libsql(file);
  const insert = db.prepare(
    "INSERT INTO one_time (id, purpose, payload_sealed, created_at, code_expires_at, expires_at) VALUES (?, 'registration', ?, 0, 0, ?)",
  );
  db.exec('BEGIN');
  for (let n = 0; n < MANY; n += 1) {
    const id = `many-${String(n).padStart(6, '0')}`;
    const sealed = sealer.seal(`one_time.payload_sealed:${id}`, Buffer.from('{}'));
    insert.run([id, sealed, Date.now() + 86_400_000]);
  }
  db.exec('COMMIT');
  db.close();
}

/** Of every column of sealed values: how many have which key. */
function sealedValues(file: string): Record<string, { former: number; current: number }> {
  const [old, current] = [sealerOf(FORMER), sealerOf(NEW)];
  const db = new Libsql(file, { readonly: true });
  const texts = (sql: string): unknown[][] => {
    const rows: unknown = db.prepare(sql).raw(true).all();
    return Array.isArray(rows) ? rows : [];
  };
  const columns = texts(
    "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table' AND c.name LIKE '%\\_sealed' ESCAPE '\\'",
  );
  const found = columns.map(([table, column]) => {
    const values = texts(
      `SELECT ${String(column)} FROM ${String(table)} WHERE ${String(column)} IS NOT NULL`,
    ).map(([value]) => String(value));
    const count = (sealer: typeof old): number =>
      values.filter((value) => sealer.isCurrent(value)).length;
    return [`${String(table)}.${String(column)}`, { former: count(old), current: count(current) }];
  });
  db.close();
  return Object.fromEntries(found);
}

const ofFormer = (file: string): number =>
  Object.values(sealedValues(file)).reduce((sum, { former: count }) => sum + count, 0);

test('every sealed value has the new key, after a kill -9 in the midst too (D01)', {
  timeout: 120_000,
}, async () => {
  const server = await startServer({ env: { ...former, ...NO_MAIL } });
  const { directory } = server;
  const file = join(directory, 'data/postern.db');
  const ada = await server.register('ada');
  const begin = (): ReturnType<typeof server.call> =>
    server.call('POST', '/me/totp', { token: ada.access });
  const { secret } = (await begin()).body;
  const confirmed = await server.call('POST', '/me/totp/confirm', {
    token: ada.access,
    body: { code: codeAt(secret, Date.now()) },
  });
  expect(confirmed.status).toBe(200);
  // One in force, and another that waits to be confirmed.
  expect((await begin()).status).toBe(201);
  const email = 'bob@example.com';
  const registration = { email, password: 'correct horse battery staple' };
  const pending = await server.call('POST', '/register', { body: registration });
  expect(pending.status).toBe(202);
  await server.stop();
  addMany(file);
  const before = sealedValues(file);
  expect(Object.keys(before).sort()).toEqual([
    'one_time.payload_sealed',
    'outbox.payload_sealed',
    'signing_key.private_sealed',
    'totp.secret_sealed',
    'totp_enrolment.secret_sealed',
  ]);
  for (const [name, counts] of Object.entries(before))
    expect([name, counts.former > 0, counts.current]).toEqual([name, true, 0]);
  const total = ofFormer(file);

  const killed = spawnProgram(['rekey', '--key-encryption-key'], {
    directory,
    env: environment(both),
  });
  // It runs for a moment at a time, so that the kill comes in between on a busy machine too.
  for (let slices = 0; slices < 2_000 && ofFormer(file) === total; slices++) {
    killed.signal('SIGCONT');
    await setTimeout(20);
    killed.signal('SIGSTOP');
  }
  killed.signal('SIGKILL');
  await killed.ended;
  expect(ofFormer(file)).toBeGreaterThan(0);
  expect(ofFormer(file)).toBeLessThan(total);

  // Again, beside the service.
  const serving = await startServer({ directory, env: { ...both, ...NO_MAIL } });
  const run = await serving.cli(['rekey', '--key-encryption-key']);
  expect([run.code, run.stdout]).toEqual([0, expect.stringMatching(/^\d+ of \d+ sealed values/)]);
  expect(ofFormer(file)).toBe(0);
  const refreshed = await serving.call('POST', '/refresh', {
    body: { refresh_token: ada.refresh },
  });
  expect(refreshed.status).toBe(200);
  for (const key of [FORMER, NEW]) expect(run.stdout + run.stderr).not.toContain(key);
  await serving.stop();
  const last = await runProgram(['rekey', '--key-encryption-key'], {
    directory,
    env: environment(onlyNew),
  });
  expect([last.code, last.stdout]).toEqual([0, expect.stringMatching(/^0 of \d+ sealed values/)]);

  // The former key is gone; the email goes into a folder now.
  const after = await startServer({ directory, env: onlyNew });
  const again = { refresh_token: refreshed.body.refresh_token };
  expect((await after.call('POST', '/refresh', { body: again })).status).toBe(200);
  const signIn = await after.login('ada');
  expect(signIn.body.status).toBe('mfa_required');
  const answered = await after.call('POST', '/login/mfa', {
    body: {
      challenge_token: signIn.body.challenge_token,
      // A step further: that of the enrolment is spent.
      totp: codeAt(secret, Date.now() + 30_000),
    },
  });
  expect([answered.status, answered.body.access_token]).toEqual([200, expect.any(String)]);
  const mail = join(directory, 'data/mail');
  const letter = (): string =>
    (existsSync(mail) ? readdirSync(mail, { encoding: 'utf8' }) : [])
      .map((name) => readFileSync(join(mail, name), 'utf8'))
      .find((text) => text.includes(email)) ?? '';
  await eventually(() => letter() !== '', 90_000);
  const [, code] = /^Your code for .*:\n\n(\S+)$/m.exec(letter()) ?? [];
  const verified = await after.call('POST', '/register/verify', {
    body: { registration_id: pending.body.registration_id, code },
  });
  expect([verified.status, verified.body.user?.email]).toEqual([201, email]);
  await after.stop();
});

test('a value of a key that is not configured is said, and left as it was', async () => {
  const server = await startServer({ env: former });
  const { directory } = server;
  await server.register('ada');
  await server.stop();
  const file = join(directory, 'data/postern.db');
  const id = 'of-another-key';
  const db = new Libsql(file);
  db.prepare(
    "INSERT INTO one_time (id, purpose, payload_sealed, created_at, code_expires_at, expires_at) VALUES (?, 'registration', ?, 0, 0, ?)",
  ).run([
    id,
    sealerOf(OTHER).seal(`one_time.payload_sealed:${id}`, Buffer.from('{}')),
    Date.now() + 86_400_000,
  ]);
  db.close();
  const run = await runProgram(['rekey', '--key-encryption-key'], {
    directory,
    env: environment(both),
  });
  expect([run.code, run.stderr]).toEqual([1, expect.stringContaining('1 values were sealed with')]);
  expect(ofFormer(file)).toBe(0);
  const refused = await runProgram(['rekey', '--key-encryption-key'], {
    directory,
    env: environment({ POSTERN_SECRETS_KEY_ENCRYPTION_KEY: OTHER ?? '' }),
  });
  expect([refused.code, refused.stderr]).toEqual([
    78,
    expect.stringContaining(
      'Is secrets.key_encryption_key the one that the database was created with?',
    ),
  ]);
});
