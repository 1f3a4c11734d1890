/**
 * Confirmation before something that can't be undone: a question on a terminal, --yes elsewhere.
 */
import { createInterface } from 'node:readline/promises';
import { CliRefusal, EXIT } from './exit.ts';
import type { VerbCall } from './verb.ts';

/** @throws {CliRefusal} the answer was no, or there is no terminal to ask on */
export function confirm(call: VerbCall, what: string): Promise<void> {
  return ask(call, { question: `${what} Continue?`, what });
}

/**
 * The same for an act that the question names, with whom it is done to.
 *
 * @throws {CliRefusal}
 */
export function confirmAct(call: VerbCall, act: string): Promise<void> {
  return ask(call, { question: `${act}?`, what: `${act}?` });
}

async function ask(
  call: VerbCall,
  { question, what }: { readonly question: string; readonly what: string },
): Promise<void> {
  if (call.has('yes')) return;
  const { stdin, stderr } = call.context;
  if (stdin.isTTY !== true)
    throw new CliRefusal(EXIT.usage, `${what} Nothing was changed; add --yes to do it.`);
  const lines = createInterface({ input: stdin, output: stderr });
  try {
    const answer = await lines.question(`${question} [y/N] `);
    if (!/^y(es)?$/i.test(answer.trim())) throw new CliRefusal(EXIT.failed, 'Nothing was changed.');
  } finally {
    lines.close();
  }
}
