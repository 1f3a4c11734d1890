/**
 * A full disk for an hour: many sessions go on being refreshed with the token that they have, one
 * that was ended before is refused, after `sessions.refresh_when_read_only` nobody is, and with room
 * again all goes on without a restart. It mounts a tmpfs (root) and moves the clock (libfaketime).
 *
 *     node test/faults/full-disk.mjs --sessions 10000
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { LIMITS_OFF } from '../support/limits.mjs';
import { CHEAP, ask, spawnProgram, whereIs } from '../support/program.mjs';

const FAKETIME = '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1';
const PARALLEL = 16;
const { values } = parseArgs({ options: { sessions: { type: 'string', default: '10000' } } });
const count = Number(values.sessions);
if (process.getuid?.() !== 0 || !existsSync(FAKETIME)) {
  console.log('left out: it needs root, for a tmpfs, and libfaketime');
  process.exit(0);
}

const directory = mkdtempSync(join(tmpdir(), 'postern-full-'));
execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'none', directory]);
const clock = `${directory}.clock`;
/** Moves the service's wall clock. @param {string} by as libfaketime writes it */
const moveTo = async (by) => {
  writeFileSync(clock, by);
  // It looks at the file once a second.
  await new Promise((resolve) => setTimeout(resolve, 1_500));
};
await moveTo('+0');
const server = spawnProgram(['serve'], {
  directory,
  env: {
    ...CHEAP,
    ...LIMITS_OFF,
    POSTERN_SERVER_LISTEN: 'tcp://127.0.0.1:0',
    POSTERN_LOG_LEVEL: 'info',
    LD_PRELOAD: FAKETIME,
    FAKETIME_TIMESTAMP_FILE: clock,
    FAKETIME_CACHE_DURATION: '1',
    DONT_FAKE_MONOTONIC: '1',
  },
});
try {
  const { listen } = await server.logged('server.started');
  const where = whereIs(String(/** @type {unknown[]} */ (listen)[0]));
  const agent = new Agent({ keepAlive: true, maxSockets: PARALLEL });
  const call = (/** @type {string} */ path, /** @type {object} */ body) =>
    ask(where, 'POST', path, { body, agent });
  /** @template T @param {readonly T[]} list @param {(one: T) => Promise<void>} work */
  const each = async (list, work) => {
    const left = [...list];
    await Promise.all(
      Array.from({ length: PARALLEL }, async () => {
        for (let one = left.pop(); one !== undefined; one = left.pop()) await work(one);
      }),
    );
  };

  /** @type {string[]} */
  const tokens = [];
  await each(
    Array.from({ length: count + 1 }, (_, n) => `user${n}`),
    async (username) => {
      const { status, body } = await call('/register', {
        username,
        password: 'correct horse battery staple',
      });
      assert.equal(status, 201);
      tokens.push(body.refresh_token);
    },
  );
  const ended = tokens.pop() ?? '';
  assert.equal((await call('/logout', { refresh_token: ended })).status, 204);
  console.log(`${count} sessions`);

  const { bavail, bsize } = statfsSync(directory);
  const filler = join(directory, 'filler');
  execFileSync('fallocate', ['-l', String(bavail * bsize), filler]);
  // What room is left in the log is used up first.
  for (let n = 0; ; n++) {
    const { status } = await call('/register', {
      username: `late${n}`,
      password: 'correct horse battery staple',
    });
    if (status === 503) break;
    assert.ok(status === 201 && n < 20_000, `a registration was answered with ${status}`);
  }
  const refreshAll = async (/** @type {number} */ expected) => {
    /** @type {Map<string, number>} */
    const seen = new Map();
    const entries = [...tokens.entries()];
    await each(entries, async ([at, token]) => {
      const { status, body } = await call('/refresh', { refresh_token: token });
      const rotated = body.rotated === false ? 'kept' : 'rotated';
      const what = status === 200 ? rotated : `${status}`;
      if (status === 200) assert.equal(body.refresh_token === token, what === 'kept');
      // A commit of one row may still find room in the log.
      if (status === 200) tokens[at] = body.refresh_token;
      seen.set(what, (seen.get(what) ?? 0) + 1);
    });
    console.log(JSON.stringify(Object.fromEntries(seen)));
    const answered = (seen.get('kept') ?? 0) + (seen.get('rotated') ?? 0);
    assert.equal(expected === 200 ? answered : seen.get(String(expected)), count);
  };

  // With their rotation behind them, so that they are not kept for their grace.
  for (const by of ['+1m', '+20m', '+40m', '+58m']) {
    await moveTo(by);
    console.log(`disk full, clock ${by}`);
    await refreshAll(200);
    assert.equal((await call('/refresh', { refresh_token: ended })).body.code, 'session_revoked');
  }
  await moveTo('+65m');
  console.log('disk full, clock +65m: past sessions.refresh_when_read_only');
  await refreshAll(503);

  rmSync(filler);
  for (let tries = 0; ; tries++) {
    const { status } = await ask(where, 'GET', '/readyz', { agent });
    if (status === 200) break;
    assert.ok(tries < 100, 'it did not recover');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const [first = ''] = tokens;
  const { status, body } = await call('/refresh', { refresh_token: first });
  assert.deepEqual([status, body.rotated], [200, undefined]);
  console.log('room again: sessions are rotated, without a restart');
  agent.destroy();
} finally {
  server.signal('SIGKILL');
  await server.ended;
  execFileSync('umount', [directory]);
  rmSync(directory, { recursive: true, force: true });
  rmSync(clock, { force: true });
}
