/** The compile cache that the build fills is the one that a start takes (Node 22.1 and newer). */
import { spawnSync } from 'node:child_process';
import module from 'node:module';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const bundle = fileURLToPath(new URL('../../dist/postern.mjs', import.meta.url));

test('the program starts with it, and without one where Node has none', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [bundle, 'version'], {
    env: { NODE_DEBUG_NATIVE: 'COMPILE_CACHE' },
    encoding: 'utf8',
  });
  expect([status, stdout]).toEqual([0, expect.stringContaining('postern')]);
  if ('enableCompileCache' in module)
    expect(stdout + stderr).toMatch(/postern-program\.mjs was accepted/);
});
