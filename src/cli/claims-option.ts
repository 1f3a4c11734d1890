/**
 * Claims as options: `--set 'roles=["admin"]'`, the value as JSON; a bare word is taken as a
 * string.
 */
import { JsonError, parseJson } from '../lib/json.ts';
import type { JsonObject } from '../lib/json.ts';
import { Refusal } from '../refusal.ts';
import { CliRefusal, EXIT, usageRefusal } from './exit.ts';
import type { VerbCall } from './verb.ts';

const MAX_DEPTH = 6;
const BARE_WORD = /^[A-Za-z][A-Za-z0-9_.:/@-]*$/;

/** The claims in a repeatable option. @throws {CliRefusal} */
export function claimsOption(call: VerbCall, option: string): JsonObject {
  const claims = call.texts(option).map((text): [string, unknown] => {
    const equals = text.indexOf('=');
    if (equals < 1)
      throw usageRefusal(`--${option} takes name=value`, `postern ${call.verb.name} --help`);
    return [text.slice(0, equals), parseValue(text.slice(equals + 1), option)];
  });
  return Object.fromEntries(claims);
}

function parseValue(text: string, option: string): unknown {
  try {
    return parseJson(text, { maxDepth: MAX_DEPTH });
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    if (BARE_WORD.test(text)) return text;
    const message = `the value of --${option} is not JSON. Quote it for the shell, such as 'roles=["admin"]'.`;
    throw new CliRefusal(EXIT.usage, message);
  }
}

/** A refusal of the core, worded for an operator. */
export function explainRefusal(error: unknown): unknown {
  if (!(error instanceof Refusal)) return error;
  const faults = error.options.errors ?? [];
  const text =
    faults.length === 0
      ? (error.options.detail ?? error.message)
      : faults
          .map(({ pointer, detail }) => [pointer.slice(1), detail].filter(Boolean).join(': '))
          .join('\n');
  return new CliRefusal(EXIT.failed, text, { cause: error });
}
