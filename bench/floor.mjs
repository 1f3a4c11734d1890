/**
 * What the hot path could cost at best: the same answers on the same framework, with what no
 * implementation can leave out (reading the body, the signatures, the row, the flush) and nothing
 * else: no form check, no schema, no limit, no log, no rule about sessions. What the service takes
 * more is what its promises cost.
 */
import {
  createHmac,
  createSecretKey,
  generateKeyPairSync,
  hash,
  randomBytes,
  randomUUID,
  sign,
  timingSafeEqual,
  verify,
} from 'node:crypto';
import { fdatasync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { getRequestListener } from '@hono/node-server';
import { createServer } from 'node:http';
import { Hono } from 'hono';
import Libsql from 'libsql';
import { answerJobs } from './jobs.mjs';

const [folder = '.'] = process.argv.slice(2);
const ISSUER = 'http://localhost:3000';
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const secret = createSecretKey(randomBytes(32));
const KID = hash('sha256', 'kid', 'base64url');
const part = (/** @type {object} */ value) =>
  Buffer.from(JSON.stringify(value)).toString('base64url');
const ACCESS_HEAD = `${part({ alg: 'ES256', kid: KID, typ: 'at+jwt' })}.`;
const REFRESH_HEAD = `${part({ alg: 'HS256', kid: KID, typ: 'rt+jwt' })}.`;

/** The headers of every answer, as the service has them. */
const HEADERS = {
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; sandbox",
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'x-request-id': 'a'.repeat(16),
  'cache-control': 'no-store',
};
const JSON_HEADERS = { ...HEADERS, 'content-type': 'application/json' };

const path = join(folder, 'floor.db');
const db = new Libsql(path);
process.on('exit', () => rmSync(path, { force: true }));
for (const pragma of ['journal_mode=WAL', 'synchronous=OFF', 'foreign_keys=ON'])
  db.exec(`PRAGMA ${pragma}`);
db.exec(
  'CREATE TABLE user (id TEXT PRIMARY KEY, name TEXT NOT NULL) STRICT; CREATE TABLE session (id TEXT PRIMARY KEY, user_id TEXT NOT NULL REFERENCES user (id), generation INTEGER NOT NULL, used_at INTEGER NOT NULL) STRICT',
);
const advance = db
  .prepare(
    'UPDATE session SET generation = generation + 1, used_at = ? WHERE id = ? AND generation = ? RETURNING generation',
  )
  .raw(true);
const userOf = db.prepare('SELECT id, name FROM user WHERE id = ?').raw(true);
const log = openSync(`${path}-wal`, 'r+');

/** @typedef {{ sid: string, sub: string, gen: number }} Session */

const accessToken = (/** @type {Session} */ { sid, sub }, aud = ISSUER) => {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: ISSUER,
    sub,
    aud,
    client_id: ISSUER,
    iat: now,
    nbf: now,
    exp: now + 900,
    jti: randomUUID(),
    sid,
    auth_time: now,
    amr: ['pwd'],
    acr: 'aal1',
    status: { status_list: { idx: 1, uri: `${ISSUER}/status-lists/0` } },
  };
  const input = ACCESS_HEAD + part(claims);
  const signature = sign('sha256', Buffer.from(input, 'latin1'), {
    key: privateKey,
    dsaEncoding: 'ieee-p1363',
  });
  return `${input}.${signature.toString('base64url')}`;
};

const mac = (/** @type {string} */ input) => createHmac('sha256', secret).update(input).digest();
const refreshToken = (/** @type {Session} */ session) => {
  const input = REFRESH_HEAD + part({ iss: ISSUER, aud: ISSUER, ...session });
  return `${input}.${mac(input).toString('base64url')}`;
};

/** @returns {Session} */
const opened = (/** @type {string} */ token) => {
  const dot = token.lastIndexOf('.');
  if (!timingSafeEqual(mac(token.slice(0, dot)), Buffer.from(token.slice(dot + 1), 'base64url')))
    throw new Error('bad signature');
  return JSON.parse(Buffer.from(token.slice(token.indexOf('.') + 1, dot), 'base64url').toString());
};

/** @type {{ session: Session, resolve: (done: Session) => void }[]} */
let waiting = [];
let scheduled = false;
/** One transaction for all that came in a turn, and one flush off the event loop. */
function commit() {
  scheduled = false;
  const jobs = waiting;
  waiting = [];
  db.exec('BEGIN IMMEDIATE');
  const now = BigInt(Date.now());
  for (const { session } of jobs) {
    advance.get([now, session.sid, BigInt(session.gen)]);
    userOf.get([session.sub]);
  }
  db.exec('COMMIT');
  fdatasync(log, () => {
    for (const { session, resolve } of jobs) resolve({ ...session, gen: session.gen + 1 });
  });
}
const rotated = (/** @type {Session} */ session) =>
  new Promise((/** @type {(done: Session) => void} */ resolve) => {
    waiting.push({ session, resolve });
    if (!scheduled) setImmediate(commit);
    scheduled = true;
  });

const app = new Hono();
const jwks = JSON.stringify({
  keys: [{ ...publicKey.export({ format: 'jwk' }), kid: KID, alg: 'ES256', use: 'sig' }],
});
app.get('/.well-known/jwks.json', () => new Response(jwks, { headers: JSON_HEADERS }));
app.get('/verify', (context) => {
  const token = context.req.header('authorization')?.slice(7) ?? '';
  const dot = token.lastIndexOf('.');
  const key = { key: publicKey, dsaEncoding: /** @type {const} */ ('ieee-p1363') };
  const signature = Buffer.from(token.slice(dot + 1), 'base64url');
  if (!verify('sha256', Buffer.from(token.slice(0, dot), 'latin1'), key, signature))
    return new Response(null, { status: 401 });
  const { sub, sid } = JSON.parse(
    Buffer.from(token.slice(token.indexOf('.') + 1, dot), 'base64url').toString(),
  );
  return new Response(null, {
    status: 204,
    headers: { ...HEADERS, 'x-auth-user': sub, 'x-auth-session': sid, 'x-auth-acr': 'aal1' },
  });
});
const session = { sid: randomUUID(), sub: randomUUID(), gen: 0 };
const kept = hash('sha256', 'secret', 'base64url');
app.post('/token', async (context) => {
  const form = new URLSearchParams(await context.req.text());
  if (form.get('subject_token') === null || hash('sha256', 'secret', 'base64url') !== kept)
    return new Response(null, { status: 400 });
  return Response.json(
    { access_token: accessToken(session, form.get('resource') ?? ''), expires_in: 300 },
    { headers: JSON_HEADERS },
  );
});
app.post('/refresh', async (context) => {
  const { refresh_token: token } = JSON.parse(await context.req.text());
  const next = await rotated(opened(token));
  return new Response(
    JSON.stringify({
      status: 'authenticated',
      access_token: accessToken(next),
      refresh_token: refreshToken(next),
    }),
    { headers: JSON_HEADERS },
  );
});

const server = createServer(getRequestListener(app.fetch, { autoCleanupIncoming: false }));
await new Promise((done) => server.listen(0, '127.0.0.1', () => done(undefined)));
const address = server.address();

// As many sessions as are asked for; the port comes along.
answerJobs((/** @type {{ sessions: number }} */ { sessions }) => ({
  port: typeof address === 'object' && address !== null ? address.port : 0,
  refresh: Array.from({ length: sessions }, () => {
    const made = { sid: randomUUID(), sub: randomUUID(), gen: 0 };
    db.prepare('INSERT INTO user VALUES (?, ?)').run([made.sub, 'ada']);
    db.prepare('INSERT INTO session VALUES (?, ?, 0, 0)').run([made.sid, made.sub]);
    return refreshToken(made);
  }),
}));
