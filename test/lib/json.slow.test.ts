import { test } from 'vitest';
import { parseJson } from '../../src/lib/json.ts';
import { expectWithin } from '../support/best.ts';

test('H04: 64 KiB of hostile text take less than 5 ms', async () => {
  const size = 65_536;
  const many = (n: number, piece: (i: number) => string): string =>
    Array.from({ length: n }, (_, i) => piece(i)).join(',');
  const texts = [
    '['.repeat(size),
    '['.repeat(size / 2) + ']'.repeat(size / 2),
    `{${many(7_000, (i) => `"${i}":1`)}}`.slice(0, size),
    `{${many(5_500, (i) => `"k${i}":1`)}}`,
    `{${many(5_000, (i) => `"\\u0061${i}":1`)}}`,
    `[${many(7_000, () => '"\\u0041"')}]`,
    `[${many(21_000, () => '{}')}]`,
    `[${many(4_600, () => '{"a":1,"b":2}')}]`,
    `"${'\\\\'.repeat(32_000)}"`,
    `"${'\\ud83d\\ude00'.repeat(5_400)}"`,
    `"${'a'.repeat(65_000)}`,
    `[${many(32_000, () => '1')}]`,
    `{"a":1${',"a":1'.repeat(10_000)}}`,
  ];
  for (const text of texts) {
    const read = (): void => {
      try {
        parseJson(text, { maxDepth: 8 });
      } catch {
        // Only the time counts here.
      }
    };
    await expectWithin(5, read, text.slice(0, 20));
  }
});
