/** Starts `child.ts` as processes of their own. */
import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { onTestFinished } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Bundles the child; native packages stay outside. */
export async function bundleChild(): Promise<string> {
  const directory = `${root}node_modules/.cache/postern-test-db`;
  mkdirSync(directory, { recursive: true });
  const outfile = `${directory}/child-${process.pid}.mjs`;
  await build({
    entryPoints: [`${root}test/db/child.ts`],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    logLevel: 'error',
  });
  return outfile;
}

export interface Child {
  /** The next JSON line that it says. @throws {Error} it ended first; its stderr is the message */
  next(): Promise<unknown>;
  /** Sends it a line. */
  go(): void;
  /** Ends it at once, as a crash does. */
  kill(): Promise<void>;
}

export function start(
  bundle: string,
  args: readonly (string | number)[],
  options: { env?: NodeJS.ProcessEnv; fileBlocks?: number } = {},
): Child {
  const argv = [bundle, ...args.map(String)];
  const env = { ...process.env, ...options.env };
  // A limit on file size is a full disk that no other process feels; with SIGXFSZ ignored the write
  // fails by an error.
  const child: ChildProcessWithoutNullStreams =
    options.fileBlocks === undefined
      ? spawn(process.execPath, argv, { env })
      : spawn(
          '/bin/sh',
          [
            '-c',
            `trap '' XFSZ; ulimit -S -f ${options.fileBlocks}; exec "$@"`,
            'sh',
            process.execPath,
            ...argv,
          ],
          { env },
        );
  const said: string[] = [];
  const waiting: ((line: string | undefined) => void)[] = [];
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  createInterface({ input: child.stdout }).on('line', (line) => {
    const first = waiting.shift();
    if (first === undefined) said.push(line);
    else first(line);
  });
  const ended = new Promise<void>((resolve) =>
    child.once('close', () => {
      for (const wait of waiting.splice(0)) wait(undefined);
      resolve();
    }),
  );
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  return {
    async next() {
      const line =
        said.shift() ??
        (await new Promise<string | undefined>((resolve) =>
          child.exitCode === null && child.signalCode === null
            ? waiting.push(resolve)
            : resolve(undefined),
        ));
      if (line === undefined) throw new Error(`the child ended: ${errors}`);
      return JSON.parse(line);
    },
    go: () => void child.stdin.write('\n'),
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
