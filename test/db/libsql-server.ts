/**
 * A real libSQL server (sqld), where `POSTERN_TEST_SQLD` names the program; `npm run
 * test:libsql-server` says so.
 */
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';

export const SQLD = process.env['POSTERN_TEST_SQLD'];

const DEADLINE_MS = 30_000;

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

async function isUp(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/health`)).ok;
  } catch {
    return false;
  }
}

/** Starts it on an empty folder. @throws {Error} there is none, or it does not answer */
export async function startLibsqlServer(
  folder: string,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  if (SQLD === undefined) throw new Error('POSTERN_TEST_SQLD names no program');
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const child = spawn(
    SQLD,
    ['--db-path', folder, '--http-listen-addr', `127.0.0.1:${port}`, '--no-welcome'],
    { stdio: 'ignore' },
  );
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const until = performance.now() + DEADLINE_MS;
  while (!(await isUp(url))) {
    if (child.exitCode !== null || performance.now() > until)
      throw new Error(`the libSQL server did not start (exit ${child.exitCode})`);
    await wait(20);
  }
  return {
    url,
    close: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
