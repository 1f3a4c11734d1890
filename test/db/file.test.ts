/** Who may read the file, and what can't be a database. */
import { chmodSync, existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openDatabase } from '../../src/db/open.ts';
import type { OpenOptions } from '../../src/db/open.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { addQuietly, migrations, names, open, temporaryDirectory } from './support.ts';

const mode = (path: string): string => (statSync(path).mode & 0o777).toString(8);
const refused = (url: string, options: Partial<OpenOptions> = {}) =>
  expect(openDatabase({ url, busyTimeoutMs: 100, clock: systemClock, migrations, ...options }))
    .rejects;

describe.each(['auto', 'client'] as const)('driver %s', (driver) => {
  test('a new file, its log and its index are 0600', async () => {
    const path = join(temporaryDirectory(), 'test.db');
    const db = await open(path, { driver });
    await db.write([addQuietly({ name: 'a' })]);
    expect([path, `${path}-wal`, `${path}-shm`].map(mode)).toEqual(['600', '600', '600']);
    expect(db).toMatchObject({ isNew: true, location: path });
  });

  test('a volume that is not mounted starts no empty service: a missing directory is refused', async () => {
    const directory = join(temporaryDirectory(), 'not-mounted');
    await expect(open(join(directory, 'test.db'), { driver })).rejects.toThrow(
      `${directory}, the directory of database.url, doesn't exist. Mount its volume, or create it, and start again.`,
    );
    expect(existsSync(directory)).toBe(false);
  });

  test("an existing directory's and file's mode stay, and a file that others can read is warned of", async () => {
    const directory = join(temporaryDirectory(), 'shared');
    mkdirSync(directory);
    chmodSync(directory, 0o755);
    const path = join(directory, 'test.db');
    await (await open(path, { driver })).close();
    chmodSync(path, 0o644);
    const warnings: string[] = [];
    const db = await open(path, { driver, warn: (message) => warnings.push(message) });
    expect([mode(directory), mode(path)]).toEqual(['755', '644']);
    expect(warnings).toEqual([
      `${path} can be read by every account of this machine (mode 644). Set it to 0600.`,
    ]);
    expect(db.isNew).toBe(false);
  });
});

test('a path, a file: URL in its spellings, and a symbolic link name the same database', async () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'a b.db');
  const db = await open(path);
  await db.write([addQuietly({ name: 'a' })]);
  symlinkSync(path, join(directory, 'link.db'));
  for (const url of [
    `file:${directory}/a%20b.db`,
    `file://${directory}/a%20b.db`,
    `file://localhost${directory}/a%20b.db`,
    join(directory, 'link.db'),
  ]) {
    const again = await open(url);
    expect(again.location).toBe(path);
    expect(await again.read(names())).toEqual([{ name: 'a' }]);
  }
});

test.each([
  ['postgres://localhost/x', /starts with postgres:.* Write a path, or file:, libsql:/],
  ['file://server/share/x.db', /names another host/],
  ['file:/x.db?mode=ro', /has a "\?" or "#"/],
  ['file:/%zz.db', /percent-encoding/],
  [':memory:', /names no file/],
  ['', /names no file/],
])('%s is refused in words', async (url, message) => {
  await refused(url).toMatchObject({
    name: 'DatabaseRefused',
    message: expect.stringMatching(message),
  });
});

test('a key for a remote database is refused', async () => {
  await refused('https://db.example.com', { encryptionKey: 'k' }).toMatchObject({
    name: 'DatabaseRefused',
    message: expect.stringMatching(/^database\.encryption_key is for a file/),
  });
});

test('a directory is no database', async () => {
  await refused(temporaryDirectory()).toMatchObject({
    name: 'DatabaseRefused',
    message: expect.stringMatching(/is not a regular file/),
  });
});

test('a log without its database is refused: SQLite would delete it, and it may hold the last commits', async () => {
  const path = join(temporaryDirectory(), 'test.db');
  writeFileSync(`${path}-wal`, 'frames');
  await refused(path).toMatchObject({
    name: 'DatabaseRefused',
    message: expect.stringMatching(/test\.db-wal is there, but test\.db is missing or empty/),
  });
  expect(existsSync(path)).toBe(false);
  writeFileSync(path, '');
  await refused(path).toMatchObject({ name: 'DatabaseRefused' });
  expect(statSync(`${path}-wal`).size).toBe(6);
});
