/** `postern kit serve`: an issuer of good and bad tokens, to try a verifier with. */
import { createSystemRandom } from '../crypto/secret.ts';
import { CliRefusal, EXIT, usageRefusal } from './exit.ts';
import { startKit } from './kit-server.ts';
import type { RunningKit } from './kit-server.ts';
import type { Verb, VerbCall } from './verb.ts';

const DEFAULT_PORT = 7411;

function portOf(call: VerbCall): number {
  const text = call.text('port') ?? String(DEFAULT_PORT);
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw usageRefusal('--port is a number from 0 to 65535', 'postern kit serve --help');
}

export const kitServe: Verb = {
  name: 'kit serve',
  summary:
    'Runs a local issuer of valid and invalid tokens, to test a verifier in any language: see docs/verify-a-token.md.',
  examples: [
    'postern kit serve',
    'postern kit serve --port 7411 & curl http://127.0.0.1:7411/manifest.json',
  ],
  options: [
    {
      flags: '--port <number>',
      sentence: 'where to listen on 127.0.0.1; 0 takes a free one',
      default: String(DEFAULT_PORT),
    },
  ],
  run: async (call) => {
    const port = portOf(call);
    let kit: RunningKit;
    try {
      kit = await startKit({ port, clock: call.context.clock, random: createSystemRandom() });
    } catch (cause) {
      throw new CliRefusal(EXIT.failed, `port ${port} can't be listened on`, { cause });
    }
    call.output.answer(`${kit.url}/manifest.json`);
    await new Promise<void>((resolve) => {
      process.once('SIGINT', () => resolve());
      process.once('SIGTERM', () => resolve());
    });
    await kit.close();
    return EXIT.done;
  },
};
