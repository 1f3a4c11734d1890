/** Archives that tar itself reads. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { TAR_BLOCK, TAR_END, readTarHeader, tarHeader, tarPadding } from '../../src/lib/tar.ts';

const entry = { name: 'a file.json', size: 700, mode: 0o600, mtime: 1_937_044_800 };

test('tar reads what is written', () => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-tar-'));
  try {
    const content = Buffer.alloc(entry.size, 'x');
    const archive = [tarHeader(entry), content, Buffer.alloc(tarPadding(entry.size)), TAR_END];
    writeFileSync(join(folder, 'a.tar'), Buffer.concat(archive));
    const listed = execFileSync('tar', ['--utc', '-tvf', join(folder, 'a.tar')], {
      encoding: 'utf8',
    });
    expect(listed.trim()).toMatch(/^-rw------- 0\/0 +700 2031-05-20 12:00 a file\.json$/);
    const read = execFileSync('tar', ['-xOf', join(folder, 'a.tar')]);
    expect(read.equals(content)).toBe(true);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.each([0, 1, 511, 512, 8 ** 11 - 1, 8 ** 11, 2 ** 45])('a size of %d is read back', (size) => {
  expect(readTarHeader(tarHeader({ ...entry, size }))).toEqual({ ...entry, size });
  expect((size + tarPadding(size)) % TAR_BLOCK).toBe(0);
});

test('an altered, a cut and a foreign header are refused; an empty block is the end', () => {
  const altered = tarHeader(entry);
  altered.writeUInt8(0x41, 3);
  expect(() => readTarHeader(altered)).toThrow(/damaged/);
  expect(() => readTarHeader(tarHeader(entry).subarray(0, 100))).toThrow(/truncated/);
  const link = tarHeader(entry);
  link.write('2', 156, 'latin1');
  link.fill(' ', 148, 156);
  const sum = link.reduce((all, byte) => all + byte, 0);
  link.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  expect(() => readTarHeader(link)).toThrow(/not a file/);
  expect(readTarHeader(Buffer.alloc(TAR_BLOCK))).toBeUndefined();
});
