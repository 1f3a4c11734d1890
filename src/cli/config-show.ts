/** `postern config show`: the effective values, and which file or variable set them. */
import { showSettings, showToml } from '../config/show.ts';
import { EXIT } from './exit.ts';
import { loadConfig } from './load-config.ts';
import { JSON_OPTION } from './verb.ts';
import type { Verb } from './verb.ts';

export const configShow: Verb = {
  name: 'config show',
  summary: 'Prints the effective settings; secrets as [set].',
  examples: ['postern config show --origin', 'postern config show --json'],
  options: [
    { flags: '--origin', sentence: 'say which file, variable or flag set each' },
    { flags: '--diff', sentence: 'only settings that differ from their defaults' },
    JSON_OPTION,
  ],
  run: (call) => {
    const loaded = loadConfig(call);
    const settings = call.has('diff') ? 'changed' : 'all';
    if (call.has('json'))
      call.output.answerJson({
        file: loaded.path ?? null,
        settings: showSettings(loaded, settings),
      });
    else {
      const origins = call.has('origin') ? 'with' : 'without';
      call.output.answer(showToml(loaded, { origins, settings }));
    }
    return EXIT.done;
  },
};
