/** Emails as files: what a developer reads and copies. */
import { readFileSync, readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { folderTransport } from '../../src/delivery/eml-folder.ts';
import { renderEmail } from '../../src/delivery/templates.ts';
import { newDirectory } from '../support/process.ts';

test('the parts are 8-bit text: links, codes and non-ASCII characters are readable as they are', async () => {
  const dir = newDirectory();
  const link = `https://app.example.com/verify-address#token=${'aB3=_-'.repeat(12)}`;
  const values = { code: '7KQM2X', code_minutes: '10', link, link_minutes: '60' };
  await folderTransport({ dir, from: { address: 'auth@example.com', name: 'Müller' } }).send({
    id: '01a1',
    template: 'verify_registration',
    to: 'ada@example.com',
    values,
    ...renderEmail('verify_registration', values, 'Müller & Söhne', () => null),
  });
  expect(readdirSync(dir)).toEqual(['01a1.eml']);
  const raw = readFileSync(`${dir}/01a1.eml`, 'utf8');
  expect(raw.match(/^Content-Transfer-Encoding: .*$/gm)).toEqual([
    'Content-Transfer-Encoding: 8bit',
    'Content-Transfer-Encoding: 8bit',
  ]);
  const lines = raw.split('\n');
  for (const line of [link, '7KQM2X', 'Your code for Müller & Söhne:'])
    expect(lines).toContain(line);
  expect(raw.slice(raw.indexOf('\n\n'))).not.toMatch(/=3D|=\n/);
  expect(raw).toMatch(/^Content-Type: multipart\/alternative;/m);
  // RFC 5322 §2.1.1.
  expect(Math.max(...lines.map((line) => Buffer.byteLength(line)))).toBeLessThan(998);
});
