/** Checks of the database: whether its keys open it, its schema, its clock, waiting emails. */
import { existsSync } from 'node:fs';
import { outboxDepth } from '../core/email/outbox-depth.ts';
import { latestSession } from '../core/session/count.ts';
import { createSigningKeys } from '../core/signing-key/signing-key.ts';
import { signingKeyPolicy } from '../app/policies.ts';
import { createSealer } from '../crypto/seal.ts';
import { createSystemRandom } from '../crypto/secret.ts';
import type { OpenDatabase } from '../db/open.ts';
import { fail, ok, warn } from './doctor-finding.ts';
import type { Check, Finding, Patient } from './doctor-finding.ts';
import { keyEncryptionKey } from './key-file.ts';
import { openState, mapDatabaseErrors } from './state.ts';

const SKEW_MS = 60_000;
const MAIL_AGE_MS = 15 * 60_000;

export function databaseChecks(patient: Patient): readonly Check[] {
  const looking = (name: string, look: (db: OpenDatabase) => Promise<Finding>): Check => ({
    name,
    look: () => withOpened(patient, look),
  });
  const { call, config } = patient;
  const now = (): number => call.context.clock.now();
  return [
    looking('database-opens', async (db) => ok(db.location)),
    looking('schema', async (db) => {
      const pending = await mapDatabaseErrors(() => db.pendingMigrations());
      return pending.length === 0
        ? ok('up to date')
        : warn(
            `${pending.length} migrations are pending.`,
            'postern serve applies them at its start.',
          );
    }),
    looking('signing-keys', async (db) => {
      const current = keyEncryptionKey(config, 'refuse', () => undefined);
      const previous = config.secrets.previous_key_encryption_keys;
      const random = createSystemRandom();
      const sealer = createSealer({ current, previous }, random);
      const { clock } = call.context;
      const deps = { db, sealer, clock, random };
      const keys = await mapDatabaseErrors(() =>
        createSigningKeys(deps, signingKeyPolicy(config), 'look'),
      );
      const active = keys
        .list()
        .find(({ purpose, state }) => purpose === 'access' && state === 'active');
      if (active === undefined) return ok('the shared secret signs');
      const overdue = now() - active.activatesAt - config.tokens.key_rotation;
      return overdue > 86_400_000
        ? warn('the signing key has been due for rotation for a day.', 'Run: postern keys rotate')
        : ok(`${active.algorithm}, kid ${active.kid.slice(0, 4)}…`);
    }),
    looking('clock', async (db) => {
      const ahead = (await latestSession(db)) - now();
      return ahead <= SKEW_MS
        ? ok(new Date(now()).toISOString())
        : fail(
            `the clock is ${Math.round(ahead / 1000)} s behind what the database has seen.`,
            'Set it right, and keep it so by NTP.',
          );
    }),
    looking('outbox', async (db) => {
      const { pending, dead, oldestAgeMs } = await outboxDepth(db, now());
      if (dead > 0) return fail(`${dead} emails were given up.`, 'postern outbox list says why.');
      return oldestAgeMs > MAIL_AGE_MS
        ? warn(
            `${pending} emails wait, the oldest for ${Math.round(oldestAgeMs / 60_000)} minutes.`,
            'postern outbox list says why.',
          )
        : ok(`${pending} emails wait`);
    }),
  ];
}

async function withOpened(
  { call, config, file }: Patient,
  look: (db: OpenDatabase) => Promise<Finding>,
): Promise<Finding> {
  // Opening a missing file would create it.
  if (file !== null && !existsSync(file))
    return warn(`there is no database at ${file} yet.`, 'postern serve creates it.');
  const quiet = { ...call, output: { ...call.output, warn: () => undefined } };
  const db = await openState(config, quiet);
  try {
    return await look(db);
  } finally {
    await db.close();
  }
}
