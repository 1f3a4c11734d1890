/** `postern migrate`: brings the database to this program's tables; serve does so too at its start. */
import { EXIT } from './exit.ts';
import { loadConfig } from './load-config.ts';
import { openState, refusing } from './state.ts';
import { JSON_OPTION } from './verb.ts';
import type { Verb } from './verb.ts';

export const migrate: Verb = {
  name: 'migrate',
  summary: 'Brings the database to the tables of this version; serve does it too.',
  examples: ['postern migrate --dry-run', 'postern migrate'],
  options: [{ flags: '--dry-run', sentence: 'say what would be applied and change nothing' }, JSON_OPTION],
  run: async (call) => {
    const { config } = loadConfig(call);
    const db = await openState(config, call);
    try {
      const dry = call.has('dry-run');
      const tags = await refusing(() => (dry ? db.pendingMigrations() : db.migrate()));
      if (call.has('json')) call.output.answerJson({ [dry ? 'pending' : 'applied']: tags });
      else if (tags.length === 0) call.output.answer(`${db.location} is up to date.`);
      else call.output.answer(`${dry ? 'would apply' : 'applied'} ${tags.length}: ${tags.join(', ')}`);
      return EXIT.done;
    } finally {
      await db.close();
    }
  },
};
