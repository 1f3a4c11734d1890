/**
 * How fast the audit log is verified and sealed: rows as the service writes them, in a file of
 * their own.
 *
 *     node bench/audit.mjs --rows 1000000
 */
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import Libsql from 'libsql';
import { spawnProgram } from '../test/support/program.mjs';

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '1000000' },
    program: { type: 'string', default: 'dist/postern.mjs' },
  },
});
const ROWS = Number(values.rows);
const directory = mkdtempSync(join(tmpdir(), 'postern-audit-'));
const program = resolve(values.program);

/** @param {readonly string[]} args */
const postern = (...args) =>
  execFileSync(process.execPath, [program, ...args], {
    cwd: directory,
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] ?? '' },
  });

try {
  // The first start makes the database and its keys.
  const service = spawnProgram(['serve'], {
    directory,
    env: { POSTERN_SERVER_LISTEN: 'tcp://127.0.0.1:0' },
  });
  await service.logged('server.started');
  service.signal('SIGTERM');
  await service.ended;
  const db = new Libsql(join(directory, 'data', 'postern.db'));
  db.exec('PRAGMA synchronous = OFF');
  const insert = db.prepare('INSERT INTO audit_event(data, personal, salt) VALUES (?, ?, ?)');
  const personal = JSON.stringify({ ip: '192.0.2.17', userAgent: 'Mozilla/5.0', name: 'ada' });
  const at = Date.now() - ROWS;
  console.time('rows made');
  for (let done = 0; done < ROWS; ) {
    db.exec('BEGIN');
    for (let page = 0; page < 10_000 && done < ROWS; page++, done++) {
      const salt = randomBytes(16);
      const data = {
        id: randomUUID(),
        at: at + done,
        event: 'sign_in.succeeded',
        outcome: 'success',
        user: randomUUID(),
        session: randomUUID(),
        actor: { kind: 'anonymous', id: null, name: null },
        details: { factor: 'password', amr: ['pwd'] },
        request: '0123456789abcdef',
        personal: createHash('sha256').update(salt).update(personal).digest('base64url'),
      };
      insert.run(JSON.stringify(data), personal, salt);
    }
    db.exec('COMMIT');
  }
  console.timeEnd('rows made');
  db.close();
  const started = performance.now();
  const { ok, size, faults } = JSON.parse(postern('audit', 'verify', '--json'));
  const seconds = (performance.now() - started) / 1000;
  if (!ok || size !== ROWS) throw new Error(JSON.stringify(faults));
  console.log(
    `${ROWS} rows verified in ${seconds.toFixed(2)} s, the start of the program included: ${Math.round(ROWS / seconds)} a second`,
  );
} finally {
  rmSync(directory, { recursive: true, force: true });
}
