/** The programs of examples/verify-*, against the built conformance kit. */
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EXAMPLES } from '../../scripts/verifiers.mjs';
import { failedNames, lacks, startKit } from '../support/kit.ts';
import type { Kit } from '../support/kit.ts';

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
      expect(failedNames(outcome)).toEqual([...program.known].sort());
      if (program.readsStatusLists) expect(outcome).toMatchObject({ failures: [], skipped: 0 });
    },
  );
});
