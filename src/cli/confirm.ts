/**
 * Confirmation before something that can't be undone: a question on a terminal, --yes elsewhere.
 */
import { createInterface } from 'node:readline/promises';
import { CliRefusal, EXIT } from './exit.ts';
import type { VerbCall } from './verb.ts';

/** @throws {CliRefusal} the answer was no, or there is no terminal to ask on */
export async function confirm(call: VerbCall, what: string): Promise<void> {
  if (call.has('yes')) return;
  const { stdin, stderr } = call.context;
  if (stdin.isTTY !== true)
    throw new CliRefusal(EXIT.usage, `${what} Nothing was changed; add --yes to do it.`);
  const lines = createInterface({ input: stdin, output: stderr });
  try {
    const answer = await lines.question(`${what} Continue? [y/N] `);
    if (!/^y(es)?$/i.test(answer.trim())) throw new CliRefusal(EXIT.failed, 'Nothing was changed.');
  } finally {
    lines.close();
  }
}
