/**
 * Random bytes that are the same in every run: the key stream of a seed, which is the test file's
 * name or POSTERN_TEST_SEED. Keys are made by the operating system all the same.
 */
import { createCipheriv, createHash } from 'node:crypto';
import { expect } from 'vitest';
import type { Random } from '../../src/lib/id.ts';

function seededRandom(seed: string): Random {
  const key = createHash('sha256').update(seed).digest();
  const stream = createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
  return { bytes: (length) => stream.update(Buffer.alloc(length)) };
}

/** One stream for all services of a test file: two on one database must not make the same ids. */
let ofThisFile: Random | undefined;

export function testRandom(): Random {
  const { testPath = '' } = expect.getState();
  const file = testPath.slice(testPath.lastIndexOf('/test/'));
  ofThisFile ??= seededRandom(process.env['POSTERN_TEST_SEED'] ?? file);
  return ofThisFile;
}
