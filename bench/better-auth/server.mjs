/**
 * better-auth as its documentation sets it up: email and password, SQLite by better-sqlite3, the
 * JWT plugin, behind Hono. It hashes by @node-rs/argon2 at the cost that the service has (through
 * the hooks of its `password` option), signs ES256 as the service does, and its database flushes as
 * the service's does. Its rate limits are off, since one address sends everything here; it logs
 * nothing.
 */
import { join } from 'node:path';
import { COST } from '../argon2-cost.mjs';
import { answerJobs } from '../jobs.mjs';

const [folder = '.'] = process.argv.slice(2);

// By name, so that the type check needs none of it installed.
const load = (/** @type {string} */ name) => import(name);
const [{ betterAuth }, { getMigrations }, { jwt }, { default: Sqlite }, { hash, verify }, { serve }, { Hono }] = await Promise.all([
  load('better-auth'),
  load('better-auth/db/migration'),
  load('better-auth/plugins/jwt'),
  load('better-sqlite3'),
  load('@node-rs/argon2'),
  load('@hono/node-server'),
  load('hono'),
]);

const database = new Sqlite(join(folder, 'better-auth.db'));
database.pragma('journal_mode = WAL');
database.pragma('synchronous = FULL');

const options = {
  baseURL: 'http://127.0.0.1',
  secret: 'a secret of the benchmark, of more than 32 characters',
  database,
  emailAndPassword: {
    enabled: true,
    password: {
      hash: (/** @type {string} */ password) => hash(password, { ...COST, algorithm: 2 }),
      verify: (/** @type {{ hash: string, password: string }} */ stored) => verify(stored.hash, stored.password),
    },
  },
  // Its session check would sign a token along with each answer otherwise.
  plugins: [jwt({ jwks: { keyPairConfig: { alg: 'ES256' } }, disableSettingJwtHeader: true })],
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  logger: { disabled: true },
};
const { runMigrations } = await getMigrations(options);
await runMigrations();
const auth = betterAuth(options);

const app = new Hono();
app.on(['POST', 'GET'], '/api/auth/*', (/** @type {{ req: { raw: Request } }} */ c) => auth.handler(c.req.raw));
const port = await new Promise((resolve) => serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, (/** @type {{ port: number }} */ info) => resolve(info.port)));
answerJobs(() => port);
