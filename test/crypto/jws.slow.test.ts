import { test } from 'vitest';
import { verifyJws } from '../../src/crypto/jws.ts';
import { expectWithin } from '../support/best.ts';
import { LONG_TOKENS } from './long-tokens.ts';

test('R2, J10: 10 MB cost nothing', () =>
  expectWithin(50, () => {
    for (const text of LONG_TOKENS)
      try {
        verifyJws(text, 'at+jwt', () => undefined);
      } catch {
        // Only the time counts here.
      }
  }));
