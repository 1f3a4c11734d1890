/**
 * Asking before something that can't be undone: on a terminal by a question, elsewhere by --yes.
 */
import { createInterface } from 'node:readline/promises';
import { CliRefusal, EXIT } from './exit.ts';
import type { VerbCall } from './verb.ts';

/** @throws {CliRefusal} the answer was no, or nobody can be asked */
export async function confirm(call: VerbCall, what: string): Promise<void> {
  if (call.has('yes')) return;
  const { stdin, stderr } = call.context;
  if (stdin.isTTY !== true)
    throw new CliRefusal(EXIT.usage, `${what} Nothing was changed; say --yes to do it.`);
  const lines = createInterface({ input: stdin, output: stderr });
  try {
    const answer = await lines.question(`${what} Go on? [y/N] `);
    if (!/^y(es)?$/i.test(answer.trim())) throw new CliRefusal(EXIT.failed, 'Nothing was changed.');
  } finally {
    lines.close();
  }
}
