/**
 * `postern config check`: reports everything that is wrong with the configuration; starts nothing.
 */
import { EXIT } from './exit.ts';
import { loadConfig } from './load-config.ts';
import type { Verb } from './verb.ts';

export const configCheck: Verb = {
  name: 'config check',
  summary: 'Checks the configuration and starts nothing.',
  examples: ['postern config check', 'postern config check --config /etc/postern/config.toml'],
  run: (call) => {
    const { path, warnings } = loadConfig(call);
    const what = path === undefined ? 'The configuration (no file)' : path.replace(/^\.\//, '');
    call.output.answer(`${what} is fine${warningCount(warnings.length)}.`);
    return EXIT.done;
  },
};

function warningCount(count: number): string {
  if (count === 0) return '';
  return count === 1 ? ', with one warning' : `, with ${count} warnings`;
}
