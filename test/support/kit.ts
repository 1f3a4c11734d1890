/** The built conformance kit, and the programs that it is played against. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { playKit } from '../../scripts/kit-run.mjs';
import type { Outcome } from '../../scripts/kit-run.mjs';
import type { Program } from '../../scripts/verifiers.mjs';
import { COMMAND } from './program.mjs';

export interface Kit {
  play(program: Program): Promise<Outcome>;
  stop(): void;
}

export async function startKit(): Promise<Kit> {
  const [file = '', ...args] = COMMAND;
  const child = spawn(file, [...args, 'kit', 'serve', '--port', '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const manifest = await new Promise<string>((resolve) =>
    createInterface({ input: child.stdout }).once('line', resolve),
  );
  return { play: (program) => playKit(manifest, program), stop: () => void child.kill() };
}

/**
 * Whether what a program needs is missing, so that its test is left out with a word. Where CI is
 * true it must be there.
 *
 * @throws under CI
 */
export function lacks({ name, needs }: Program): boolean {
  if (needs.isThere()) return false;
  const remedy = `${name}: ${needs.remedy}`;
  if (process.env['CI'] === 'true') throw new Error(remedy);
  console.warn(`${remedy}; its tests are left out`);
  return true;
}

/** The names of what a program failed. */
export function failedNames({ failures }: Outcome): readonly string[] {
  return failures.map((failure) => failure.slice(0, failure.lastIndexOf(':'))).sort();
}
