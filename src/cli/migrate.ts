/**
 * `postern migrate`: migrates the database to this program's schema; serve does so too at its
 * start.
 */
import { existsSync } from 'node:fs';
import { migrations } from '../db/migrations.ts';
import { databaseFile } from '../db/open.ts';
import { EXIT } from './exit.ts';
import type { ExitCode } from './exit.ts';
import { keyEncryptionKey } from './key-file.ts';
import { loadConfig } from './load-config.ts';
import { openState, mapDatabaseErrors } from './state.ts';
import { JSON_OPTION } from './verb.ts';
import type { Verb } from './verb.ts';

export const migrate: Verb = {
  name: 'migrate',
  summary: "Migrates the database to this version's schema; serve does so too.",
  examples: ['postern migrate --dry-run', 'postern migrate'],
  options: [
    { flags: '--dry-run', sentence: 'show what would be applied and change nothing' },
    JSON_OPTION,
  ],
  run: async (call) => {
    const { config } = loadConfig(call);
    const dry = call.has('dry-run');
    const answer = (tags: readonly string[], location: string): ExitCode => {
      if (call.has('json')) call.output.answerJson({ [dry ? 'pending' : 'applied']: tags });
      else if (tags.length === 0) call.output.answer(`${location} is up to date.`);
      else
        call.output.answer(`${dry ? 'would apply' : 'applied'} ${tags.length}: ${tags.join(', ')}`);
      return EXIT.done;
    };
    const file = await mapDatabaseErrors(async () => databaseFile(config.database.url));
    if (dry && file !== null && !existsSync(file))
      return answer(
        migrations.map(({ tag }) => tag),
        file,
      );
    // A new database and its key are created together: a database without its key file would later
    // look as if the key had been lost.
    if (!dry && file !== null) keyEncryptionKey(config, 'create', (line) => call.output.warn(line));
    const db = await openState(config, call);
    try {
      return answer(
        await mapDatabaseErrors(() => (dry ? db.pendingMigrations() : db.migrate())),
        db.location,
      );
    } finally {
      await db.close();
    }
  },
};
