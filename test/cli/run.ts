/**
 * The command line run in process: arguments, environment and files in, streams and exit code out.
 */
import { Readable, Writable } from 'node:stream';
import type { CliContext } from '../../src/cli/context.ts';
import { runProgram } from '../../src/cli/program.ts';
import { VERBS } from '../../src/cli/index.ts';
import type { Verb } from '../../src/cli/verb.ts';
import { systemClock } from '../../src/lib/clock.ts';

export interface Run {
  code: number;
  stdout: string;
  stderr: string;
}

export interface Machine
  extends Partial<Omit<CliContext, 'args' | 'stdout' | 'stderr' | 'readFile'>> {
  files?: Record<string, string>;
  isReadableByOthers?: boolean;
  verbs?: readonly Verb[];
}

export async function run(args: string, machine: Machine = {}): Promise<Run> {
  const { files = {}, isReadableByOthers = false, verbs = VERBS, ...rest } = machine;
  const stdout = collect();
  const stderr = collect();
  const code = await runProgram(verbs, {
    args: args.split(' ').filter((arg) => arg !== ''),
    env: {},
    cwd: '/',
    stdin: Readable.from([]),
    clock: systemClock,
    target: 'linux-x64',
    nodeVersion: 'v20.20.2',
    readFile: (path) => {
      const text = files[path];
      if (text === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
      return { text, isReadableByOthers };
    },
    exit: () => undefined,
    ...rest,
    stdout: stdout.stream,
    stderr: stderr.stream,
  });
  return { code, stdout: stdout.text(), stderr: stderr.text() };
}

function collect(): { stream: Writable; text: () => string } {
  const chunks: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      chunks.push(String(chunk));
      done();
    },
  });
  return { stream, text: () => chunks.join('') };
}
