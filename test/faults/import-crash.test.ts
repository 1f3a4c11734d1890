/** kill -9 in the middle of an import, again and again, and then to its end: each user once, whole. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Libsql from 'libsql';
import { expect, test } from 'vitest';
import {
  environment,
  eventually,
  newDirectory,
  runProgram,
  startServer,
} from '../support/process.ts';
import { spawnProgram } from '../support/program.mjs';

const USERS = 12_000;
const ROUNDS = 4;

/** Of "correct horse battery staple", by pyca/bcrypt. */
const BCRYPT = '$2b$05$ybvjhCYwlJRLW5HjedKIyeCpW0KKoYaxInZXGmE5ADnmE5xgzSAPm';

function numbersIn(directory: string): { users: number; passwords: number; ids: number } {
  const db = new Libsql(join(directory, 'data/postern.db'));
  try {
    const row = db
      .prepare(
        'SELECT count(*) AS users, count(DISTINCT external_id) AS ids, (SELECT count(*) FROM password_credential) AS passwords FROM user',
      )
      .get();
    const { users, passwords, ids } = Object(row);
    return { users, passwords, ids };
  } finally {
    db.close();
  }
}

test('A11: kill -9 in mid-import and run again: none is lost, none doubled, each with its password', async () => {
  const directory = newDirectory();
  await (await startServer({ directory })).stop();
  const lines = Array.from({ length: USERS }, (_, n) =>
    JSON.stringify({ external_id: `crm-${n}`, username: `user${n}`, password_hash: BCRYPT }),
  );
  writeFileSync(join(directory, 'users.ndjson'), `${lines.join('\n')}\n`);
  const env = environment();
  let before = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const importing = spawnProgram(['import', 'users.ndjson'], { directory, env });
    await eventually(() => numbersIn(directory).users > before, 60_000);
    importing.signal('SIGKILL');
    await importing.ended;
    const { users, passwords, ids } = numbersIn(directory);
    expect([passwords, ids]).toEqual([users, users]);
    expect(users).toBeGreaterThan(before);
    before = users;
  }
  const last = await runProgram(['import', 'users.ndjson'], { directory, env });
  expect([last.code, last.stdout]).toEqual([0, '']);
  expect(last.stderr).toContain(
    `${USERS} lines: ${USERS - before} created, ${before} there already, 0 refused`,
  );
  expect(numbersIn(directory)).toEqual({ users: USERS, passwords: USERS, ids: USERS });
  const server = await startServer({ directory });
  expect((await server.login(`user${USERS - 1}`)).status).toBe(200);
  await server.stop();
}, 180_000);
