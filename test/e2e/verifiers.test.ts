/** The programs of examples/verify-*, against the built conformance kit, and README's lines. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EXAMPLES } from '../../scripts/verifiers.mjs';
import { failedNames, lacks, startKit } from '../support/kit.ts';
import type { Kit } from '../support/kit.ts';
import { freePort } from '../support/peers.ts';
import { startServer } from '../support/process.ts';

const ROOT = new URL('../../', import.meta.url);

let kit: Kit;
beforeAll(async () => {
  execFileSync('npm', ['run', '--silent', 'build', '-w', '@postern/verifier'], { cwd: ROOT });
  kit = await startKit();
});
afterAll(() => kit.stop());

// Java and Rust are run by `npm run test:verifiers` alone: their tools are large.
describe.each(EXAMPLES.filter(({ inCi }) => inCi))('examples/$name', (program) => {
  test.skipIf(lacks(program))(
    'fails what docs/verify-a-token.md says, and nothing else',
    async () => {
      program.prepare?.();
      const outcome = await kit.play(program);
      const { known, olderFails = [] } = program;
      const failed = failedNames(outcome).filter((name) => !olderFails.includes(name));
      expect(failed).toEqual([...known].sort());
      if (program.readsStatusLists) expect(outcome).toMatchObject({ failures: [], skipped: 0 });
    },
  );
});

test("README's lines with the verifier, as they stand there: at most six", async () => {
  const readme = readFileSync(new URL('README.md', ROOT), 'utf8');
  const [, code = ''] = /<!-- verifier -->\n```ts\n([\s\S]*?)```/.exec(readme) ?? [];
  expect(code.trim().split('\n').length).toBeLessThanOrEqual(6);
  const url = `http://127.0.0.1:${await freePort()}`;
  const server = await startServer({
    env: { POSTERN_SERVER_LISTEN: url.replace('http', 'tcp'), POSTERN_SERVER_PUBLIC_URL: url },
  });
  const ada = await server.register('ada');
  const run = (token: string) => {
    const program = `const token = ${JSON.stringify(token)};\n${code.replaceAll('http://127.0.0.1:7400', url)}`;
    const args = ['--input-type=module', '-e', program];
    return spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' });
  };
  expect(run(ada.access).stdout).toBe(`${ada.userId} ${ada.sessionId} aal1\n`);
  expect(run(ada.refresh).stderr).toContain('unknown_key');
  await server.call('POST', '/logout', { body: { refresh_token: ada.refresh } });
  expect(run(ada.access).stderr).toContain('access token: revoked');
  await server.stop();
});
