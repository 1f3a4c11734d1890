/** `postern health`: asks the running service whether it is ready; for containers and scripts. */
import { askReadiness } from './ask-readiness.ts';
import { EXIT } from './exit.ts';
import { loadConfig } from './load-config.ts';
import type { Verb } from './verb.ts';

export const health: Verb = {
  name: 'health',
  summary: 'Asks the running service whether it is ready: exit code 0 or 1.',
  examples: ['postern health', 'postern health --socket /run/postern/postern.sock'],
  options: [
    {
      flags: '--socket <path>',
      sentence: "the socket that systemd opens, when server.listen has only 'systemd:'",
      default: '/run/postern/postern.sock',
    },
  ],
  run: async (call) => {
    const { config } = loadConfig(call);
    const answer = await askReadiness(config.server.listen, call.text('socket'));
    if (answer.kind === 'ready') {
      call.output.answer('ready');
      return EXIT.done;
    }
    const why = answer.kind === 'not_ready' ? answer.reasons.join(', ') : answer.why;
    call.output.error(`not ready: ${why}`);
    return EXIT.failed;
  },
};
