/** A04: whether the time to compare an API key tells how much of it is right. */
import { expect, test } from 'vitest';
import { isApiKeySecret, newApiKeySecret } from '../../src/core/api-key/secret.ts';
import { createSystemRandom, hashSecret } from '../../src/crypto/secret.ts';
import { areaUnderCurve } from '../faults/timing.mjs';

const PAIRS = 500;
/** Comparisons of one sample: one by itself is shorter than the clock's step. */
const EACH = 100;

/** The same length, right in its first half or not at all. */
function measured(): number {
  const secret = newApiKeySecret(createSystemRandom());
  const stored = hashSecret(secret);
  const half = `${secret.slice(0, 26)}${'A'.repeat(secret.length - 26)}`;
  const none = `psk_${'A'.repeat(secret.length - 4)}`;
  const times: Record<'half' | 'none', number[]> = { half: [], none: [] };
  const sample = (name: 'half' | 'none', guess: string): void => {
    const began = performance.now();
    for (let n = 0; n < EACH; n++) isApiKeySecret(guess, stored);
    times[name].push(performance.now() - began);
  };
  for (let n = -50; n < PAIRS; n++) {
    if (n === 0) for (const name of ['half', 'none'] as const) times[name].length = 0;
    if (Math.random() < 0.5) {
      sample('half', half);
      sample('none', none);
    } else {
      sample('none', none);
      sample('half', half);
    }
  }
  return areaUnderCurve(times.half, times.none);
}

test('A04: a key that begins right takes no longer than one that does not (500 pairs, AUC 0.45 to 0.55)', () => {
  // Chance alone leaves these bounds once in 150 times: three in a row are no chance.
  const areas: number[] = [];
  do areas.push(measured());
  while (areas.length < 3 && Math.abs((areas.at(-1) ?? 0) - 0.5) > 0.05);
  expect(areas.some((area) => Math.abs(area - 0.5) <= 0.05)).toBe(true);
});
