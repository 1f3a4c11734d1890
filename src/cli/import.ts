/** `postern import`: users of another system, a line of JSON each. */
import { contextOf } from './operator-commit.ts';
import { createReadStream, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { importUsers } from '../features/import/import-users.ts';
import { CliRefusal, EXIT } from './exit.ts';
import { counted } from './on-user.ts';
import { createProgress } from './progress.ts';
import type { Verb, VerbCall } from './verb.ts';
import { withAllLanes } from './with-app.ts';

/** Lines that share a commit: about what the database takes in one. */
const BATCH = 250;

interface Source {
  readonly bytes: number;
  readonly stream: AsyncIterable<Uint8Array>;
}

async function* bytesOf(stdin: NodeJS.ReadableStream): AsyncGenerator<Uint8Array> {
  for await (const chunk of stdin) yield Buffer.from(chunk);
}

/** @throws {CliRefusal} the file can't be read */
function sourceOf({ context, arguments: [name = ''] }: VerbCall): Source {
  if (name === '-') return { bytes: 0, stream: bytesOf(context.stdin) };
  const path = resolve(context.cwd, name);
  try {
    const status = statSync(path);
    if (status.isDirectory()) throw new Error('it is a directory');
    return { bytes: status.size, stream: createReadStream(path, { highWaterMark: 262_144 }) };
  } catch (cause) {
    throw new CliRefusal(EXIT.failed, `${name} can't be read.`, { cause });
  }
}

export const importFile: Verb = {
  name: 'import',
  summary: [
    'Makes an account of every line of JSON in a file, or of - (standard input), with its',
    'password as another system hashed it. Lines that are there already change nothing: after',
    'an interruption run it again.',
  ].join(' '),
  examples: [
    'postern import users.ndjson --dry-run',
    'node examples/import/keycloak.mjs realm-users-0.json | postern import - > refused.ndjson',
  ],
  arguments: [{ name: '<file>', sentence: 'NDJSON, a user a line; - is standard input' }],
  options: [{ flags: '--dry-run', sentence: 'check every line, and change nothing' }],
  run: (call) =>
    withAllLanes(call, async (kernel) => {
      const { bytes, stream } = sourceOf(call);
      const isDry = call.has('dry-run');
      const progress = createProgress(call, isDry ? 'checking' : 'importing');
      const context = contextOf(call);
      const counts = await importUsers(kernel)(context, stream, {
        mode: isDry ? 'dry_run' : 'import',
        batch: BATCH,
        onRefused: (refused) => call.output.answerJson(refused),
        onBatch: (done) => progress(done, Math.max(bytes, done)),
      });
      progress.end();
      const { lines, created, existing, refused } = counts;
      const would = isDry ? 'would be created' : 'created';
      call.output.progress(
        `${counted(lines, 'line')}: ${created} ${would}, ${existing} there already, ${refused} refused`,
      );
      return refused === 0 ? EXIT.done : EXIT.failed;
    }),
};
