/** `postern version`, also `--version`: what a bug report needs. */
import { EXIT } from './exit.ts';
import { JSON_OPTION } from './verb.ts';
import type { Verb } from './verb.ts';
import { LIBSQL_VERSION, VERSION } from './version.ts';

export const printVersion: Verb = {
  name: 'version',
  summary: 'Prints the versions of postern, Node and libSQL, and the target.',
  examples: ['postern version', 'postern version --json'],
  options: [JSON_OPTION],
  run: ({ context: { nodeVersion, target }, output, has }) => {
    if (has('json'))
      output.answerJson({ postern: VERSION, node: nodeVersion, libsql: LIBSQL_VERSION, target });
    else
      output.answer(
        `postern ${VERSION} (Node ${nodeVersion}, libSQL ${LIBSQL_VERSION}, ${target})`,
      );
    return EXIT.done;
  },
};
