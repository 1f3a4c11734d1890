/**
 * `postern doctor`: checks what the service needs, one line per check, and changes nothing. Every
 * check runs, whatever the others found.
 */
import { ConfigRefused } from '../config/fault.ts';
import { databaseFile } from '../db/open.ts';
import { databaseChecks } from './doctor-database.ts';
import { hostChecks } from './doctor-host.ts';
import { networkChecks } from './doctor-network.ts';
import type { Check, Finding, Patient } from './doctor-finding.ts';
import { EXIT } from './exit.ts';
import { loadConfig } from './load-config.ts';
import type { LoadedConfig } from './load-config.ts';
import { JSON_OPTION } from './verb.ts';
import type { Verb, VerbCall } from './verb.ts';

export const doctor: Verb = {
  name: 'doctor',
  summary: 'Checks files, database, disk, clock, mail and public address; changes nothing.',
  examples: ['postern doctor', 'postern doctor --json --config /etc/postern/config.toml'],
  options: [JSON_OPTION],
  run: async (call) => {
    let failed = 0;
    for await (const { name, finding } of examine(call)) {
      if (finding.status === 'fail') failed++;
      show(call, name, finding);
    }
    return failed === 0 ? EXIT.done : EXIT.failed;
  },
};

interface Examined {
  readonly name: string;
  readonly finding: Finding;
}

async function* examine(call: VerbCall): AsyncGenerator<Examined> {
  let loaded: LoadedConfig;
  try {
    loaded = loadConfig({ ...call, output: { ...call.output, warn: () => undefined } });
  } catch (error) {
    if (!(error instanceof ConfigRefused)) throw error;
    for (const line of error.message.split('\n'))
      yield { name: 'config', finding: { status: 'fail', fact: line } };
    return;
  }
  yield* configFindings(loaded);
  const patient: Patient = { call, ...loaded, file: databaseFile(loaded.config.database.url) };
  const checks: readonly Check[] = [
    ...hostChecks(patient),
    ...databaseChecks(patient),
    ...networkChecks(patient),
  ];
  for (const { name, look } of checks) yield { name, finding: await lookSafely(look) };
}

/** Others can read a secret: only a warning at start, but a failed check here. */
const EXPOSED = /every user of this machine can read|can be read by every user/;

function* configFindings({ path, warnings }: LoadedConfig): Generator<Examined> {
  const exposed = warnings.filter((line) => EXPOSED.test(line));
  for (const fact of exposed) yield { name: 'secrets-readable', finding: { status: 'fail', fact } };
  if (exposed.length === 0)
    yield { name: 'secrets-readable', finding: { status: 'ok', fact: 'only by their owner' } };
  for (const fact of warnings.filter((line) => !EXPOSED.test(line)))
    yield { name: 'config', finding: { status: 'warn', fact } };
  yield { name: 'config', finding: { status: 'ok', fact: path ?? 'defaults' } };
}

async function lookSafely(look: Check['look']): Promise<Finding> {
  try {
    return await look();
  } catch (error) {
    const why = error instanceof Error ? error.message : 'unknown reason';
    return { status: 'fail', fact: why.replace(/\s+/g, ' ').slice(0, 300) };
  }
}

const COLOURS = { ok: 'green', warn: 'yellow', fail: 'red' } as const;

function show(call: VerbCall, name: string, { status, fact, remedy }: Finding): void {
  const { output } = call;
  if (call.has('json')) {
    output.answerJson({ check: name, status, fact, remedy: remedy ?? null });
    return;
  }
  const word = output.style(COLOURS[status], status.padEnd(4));
  output.answer(`${word}  ${name.padEnd(17)}  ${[fact, remedy].filter(Boolean).join(' ')}`);
}
