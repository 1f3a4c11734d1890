/** kill -9 in the midst of an upgrade of the database (D01): the old schema or the new, and all rows. */
import { randomBytes } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import Libsql from 'libsql';
import { expect, test } from 'vitest';
import { migrate } from '../../src/db/migrate.ts';
import { migrations } from '../../src/db/migrations.ts';
import { openDatabase } from '../../src/db/open.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { environment, eventually, newDirectory, runProgram } from '../support/process.ts';
import { spawnProgram } from '../support/program.mjs';

/** What the upgrade rewrites: so many rows that it is long. */
const SESSIONS = 80_000;
const OLD = migrations.slice(0, 3);

async function oldDatabase(file: string): Promise<void> {
  const db = await openDatabase({
    url: `file:${file}`,
    busyTimeoutMs: 5_000,
    clock: systemClock,
    migrations: OLD,
  });
  await migrate(db, OLD, systemClock, file);
  await db.close();
  const raw = new Libsql(file);
  raw.exec(`
    INSERT INTO user (id, username, username_canonical, created_at, updated_at) VALUES ('u', 'ada', 'ada', 0, 0);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${SESSIONS})
    INSERT INTO session (id, user_id, rotated_at, auth_time, amr, created_at, last_used_at, expires_at)
    SELECT 'session-' || i, 'u', 0, 0, '["pwd","otp","mfa"]', 0, 0, 0 FROM n;
    PRAGMA wal_checkpoint(TRUNCATE);`);
  raw.close();
}

function look(file: string): { tags: unknown; sessions: unknown; sound: unknown } {
  const db = new Libsql(file);
  const one = (sql: string): unknown => db.prepare(sql).raw(true).all();
  const seen = {
    tags: one('SELECT tag FROM migration ORDER BY tag'),
    sessions: one('SELECT count(*) FROM session'),
    sound: one('PRAGMA integrity_check'),
  };
  db.close();
  return seen;
}

test('killed while it rewrites rows it leaves the old schema, and the next run completes it', {
  timeout: 120_000,
}, async () => {
  const directory = newDirectory();
  mkdirSync(join(directory, 'data'), { mode: 0o700 });
  const file = join(directory, 'data/postern.db');
  const original = join(directory, 'old.db');
  await oldDatabase(original);
  const env = environment({
    POSTERN_SECRETS_KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64url'),
  });
  const whole = { sessions: [[SESSIONS]], sound: [['ok']] };
  const size = (path: string): number => (existsSync(path) ? statSync(path).size : 0);
  // Before the first page, among the first and among the last.
  for (const bytes of [1, 1_000_000, 8_000_000]) {
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${file}${suffix}`, { force: true });
    copyFileSync(original, file);
    const program = spawnProgram(['migrate'], { directory, env });
    let hasEnded = false;
    void program.ended.then(() => (hasEnded = true));
    await eventually(() => hasEnded || size(`${file}-wal`) > bytes, 60_000);
    expect(hasEnded).toBe(false);
    program.signal('SIGKILL');
    await program.ended;
    expect([bytes, look(file)]).toEqual([bytes, { ...whole, tags: OLD.map(({ tag }) => [tag]) }]);
    const again = await runProgram(['migrate'], { directory, env });
    expect([again.code, again.stderr]).toEqual([0, expect.any(String)]);
    expect(look(file)).toEqual({ ...whole, tags: migrations.map(({ tag }) => [tag]) });
  }
});
