/** The programs of examples/verify-*, against the built conformance kit. */
import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { playKit } from '../../scripts/kit-run.mjs';
import { COMMAND } from '../support/program.mjs';
import { PEERS, isMissing } from '../support/peers.ts';

const ROOT = new URL('../../', import.meta.url);
const folder = (name: string): string => fileURLToPath(new URL(`examples/${name}/`, ROOT));

let kit: ChildProcess;
let manifest: string;
beforeAll(async () => {
  execFileSync('npm', ['run', '--silent', 'build', '-w', '@postern/verifier'], { cwd: ROOT });
  const [file = '', ...args] = COMMAND;
  const child = spawn(file, [...args, 'kit', 'serve', '--port', '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  kit = child;
  manifest = await new Promise((resolve) =>
    createInterface({ input: child.stdout }).once('line', resolve),
  );
});
afterAll(() => void kit.kill());

describe('the conformance kit', () => {
  test('@postern/verifier, as it is built, passes everything', async () => {
    const outcome = await playKit(manifest, {
      folder: folder('verify-node'),
      command: [process.execPath, 'verify.mjs'],
      readsStatusLists: true,
    });
    expect(outcome).toMatchObject({ failures: [], skipped: 0 });
  });

  // What it fails is PyJWT's and stands in docs/verify-a-token.md.
  test.skipIf(isMissing('pyjwt'))('PyJWT refuses what it has to, but for two', async () => {
    const { failures } = await playKit(manifest, {
      folder: folder('verify-python'),
      command: [PEERS.pyjwt.path, 'verify.py'],
      readsStatusLists: false,
    });
    const known = /^(?:exp as a text: accept|a storm of unknown kids: \d+ fetches of jwks)$/;
    expect(failures.filter((failure) => !known.test(failure))).toEqual([]);
  });
});
