#!/usr/bin/env node
/** The process edge: argv, environment, disk and streams go in, an exit code comes out. */
import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { CliContext } from './cli/context.ts';
import { VERBS } from './cli/index.ts';
import { runProgram } from './cli/program.ts';
import type { SecretFile } from './config/secrets.ts';
import { systemClock } from './lib/clock.ts';

const OTHERS_MAY_READ = 0o004;

function readFile(path: string): SecretFile {
  const absolute = resolve(path);
  const text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(absolute));
  return { text, isReadableByOthers: (statSync(absolute).mode & OTHERS_MAY_READ) !== 0 };
}

const context: CliContext = {
  args: process.argv.slice(2),
  env: process.env,
  cwd: process.cwd(),
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  clock: systemClock,
  target: `${process.platform}-${process.arch}`,
  nodeVersion: process.version,
  readFile,
  exit: (code) => process.exit(code),
};

// No top-level await: the bundle for the single binary is CommonJS. The exit code is set rather
// than forced, so that what is written still gets out.
void runProgram(VERBS, context).then((code) => {
  process.exitCode = code;
});
