/** Encryption at rest, and the promise that a file which can't be opened stays as it was. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import Libsql from 'libsql';
import { openDatabase } from '../../src/db/open.ts';
import { raw } from '../../src/db/prepare.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { bundleChild, start } from './processes.ts';
import { addQuietly, migrations, names, open, temporaryDirectory } from './support.ts';

const KEY = 'correct horse battery staple';
const wrongKey =
  /^test\.db can't be read with this key\. Is database\.encryption_key the one that it was created with\? Nothing was changed\.$/;

let bundle = '';
beforeAll(async () => {
  bundle = await bundleChild();
});

/** What stands on disk beside the shared-memory index, which holds nothing that lasts. */
function onDisk(path: string): Record<string, string> {
  const files = [path, `${path}-wal`, `${path}-journal`].filter((file) => existsSync(file));
  return Object.fromEntries(
    files.map((file) => [file, createHash('sha256').update(readFileSync(file)).digest('hex')]),
  );
}

/** The binding alone; its types don't know its own option. */
function bare(path: string, encryptionKey: string | undefined): Libsql.Database {
  const options = { timeout: 0, ...(encryptionKey === undefined ? {} : { encryptionKey }) };
  return new Libsql(path, options);
}

/** Leaves a database as a killed process does: with its last commits in the log alone. */
async function killedDatabase(path: string, key: string | undefined): Promise<void> {
  const db = bare(path, key);
  db.exec(
    'PRAGMA journal_mode=WAL; CREATE TABLE ticket (id integer PRIMARY KEY, spent integer); CREATE TABLE twin (id integer); CREATE TABLE big (id integer PRIMARY KEY, bytes blob)',
  );
  db.close();
  const child = start(bundle, ['write', path, 'auto'], {
    env: key === undefined ? {} : { DB_KEY: key },
  });
  for (let at = 0; at < 5; at++) await child.next();
  await child.kill();
}

describe.each(['auto', 'client'] as const)('driver %s', (driver) => {
  const refused = (path: string, encryptionKey?: string) =>
    expect(
      openDatabase({
        url: path,
        encryptionKey,
        busyTimeoutMs: 100,
        clock: systemClock,
        driver,
        migrations,
      }),
    ).rejects;

  test('no text of an encrypted database stands on disk, neither in the file nor in its log', async () => {
    const path = join(temporaryDirectory(), 'test.db');
    const db = await open(path, { driver, encryptionKey: KEY });
    await db.write([addQuietly({ name: 'a-name-to-look-for' })]);
    const bytes = Buffer.concat([readFileSync(path), readFileSync(`${path}-wal`)]);
    expect(bytes.length).toBeGreaterThan(4096);
    for (const text of ['a-name-to-look-for', 'CREATE TABLE', 'SQLite format 3', KEY])
      expect(bytes.includes(text)).toBe(false);
    await db.close();
    const again = await open(path, { driver, encryptionKey: KEY });
    expect(await again.read(names())).toEqual([{ name: 'a-name-to-look-for' }]);
  });

  test('a wrong key is refused and changes nothing', async () => {
    const path = join(temporaryDirectory(), 'test.db');
    const db = await open(path, { driver, encryptionKey: KEY });
    await db.close();
    const before = onDisk(path);
    await refused(path, 'another key').toMatchObject({
      name: 'DatabaseRefused',
      message: expect.stringMatching(wrongKey),
    });
    expect(onDisk(path)).toEqual(before);
  });

  test.each([
    ['a wrong key', KEY, 'another key'],
    ['no key', KEY, undefined],
    ['a key for a plain file', undefined, KEY],
  ])(
    '%s does not destroy a database that a killed process left with its log',
    { timeout: 20_000 },
    async (_, made, given) => {
      const path = join(temporaryDirectory(), 'test.db');
      await killedDatabase(path, made);
      const before = onDisk(path);
      expect(Object.keys(before)).toContain(`${path}-wal`);
      await refused(path, given).toMatchObject({
        name: 'DatabaseRefused',
        message: expect.stringContaining('Nothing was changed.'),
      });
      expect(onDisk(path)).toEqual(before);
      // Its own key opens it, with what the log held.
      const db = await openDatabase({
        url: path,
        encryptionKey: made,
        busyTimeoutMs: 1000,
        clock: systemClock,
        driver,
        migrations,
      });
      const [row] = await db.read(raw<{ n: number }>('SELECT count(*) FROM ticket', ['n'])());
      await db.close();
      expect(row?.n).toBeGreaterThan(30);
    },
  );

  test('a key that is tried on a copy leaves no copy behind', { timeout: 20_000 }, async () => {
    const path = join(temporaryDirectory(), 'test.db');
    await killedDatabase(path, KEY);
    const own = temporaryDirectory();
    vi.stubEnv('TMPDIR', own);
    onTestFinished(() => void vi.unstubAllEnvs());
    await refused(path, 'another key').toThrow();
    expect(readdirSync(own)).toEqual([]);
  });

  test('a first page torn by a crash is mended from the log, not taken for a wrong key', {
    timeout: 20_000,
  }, async () => {
    const path = join(temporaryDirectory(), 'test.db');
    await killedDatabase(path, KEY);
    // A change of the schema puts page 1 into the log; the page in the file is torn.
    const writer = bare(path, KEY);
    const reader = bare(path, KEY);
    reader.exec('BEGIN; SELECT count(*) FROM ticket');
    writer.exec('CREATE TABLE later (a)');
    const crashed = join(temporaryDirectory(), 'test.db');
    writeFileSync(crashed, readFileSync(path).fill(0xaa, 1000, 2000));
    writeFileSync(`${crashed}-wal`, readFileSync(`${path}-wal`));
    reader.exec('COMMIT');
    writer.close();
    reader.close();
    const db = await openDatabase({
      url: crashed,
      encryptionKey: KEY,
      busyTimeoutMs: 1000,
      clock: systemClock,
      driver,
      migrations,
    });
    expect(
      await db.read(
        raw<{ n: number }>("SELECT count(*) FROM sqlite_schema WHERE name = 'later'", ['n'])(),
      ),
    ).toEqual([{ n: 1 }]);
    await db.close();
  });

  test('an empty key is refused before anything is touched', async () => {
    const directory = join(temporaryDirectory(), 'data');
    await refused(join(directory, 'test.db'), '').toMatchObject({
      name: 'DatabaseRefused',
      message: expect.stringMatching(/^database\.encryption_key is empty/),
    });
    expect(existsSync(directory)).toBe(false);
  });

  test('a plain file is refused with a key, and an encrypted one without', async () => {
    const plain = join(temporaryDirectory(), 'test.db');
    const sealed = join(temporaryDirectory(), 'test.db');
    await (await open(plain, { driver })).close();
    await (await open(sealed, { driver, encryptionKey: KEY })).close();
    const before = [onDisk(plain), onDisk(sealed)];
    await refused(plain, KEY).toMatchObject({
      name: 'DatabaseRefused',
      message: expect.stringMatching(wrongKey),
    });
    await refused(sealed).toMatchObject({
      name: 'DatabaseRefused',
      message: expect.stringMatching(/set database\.encryption_key\. Nothing was changed\.$/),
    });
    expect([onDisk(plain), onDisk(sealed)]).toEqual(before);
  });

  test.each([[undefined], [KEY]])(
    'a file that is no database is refused and stays as it was (key: %s)',
    async (key) => {
      const path = join(temporaryDirectory(), 'test.db');
      writeFileSync(path, 'A letter to the editor. '.repeat(400));
      const before = onDisk(path);
      await refused(path, key).toMatchObject({ name: 'DatabaseRefused' });
      expect(onDisk(path)).toEqual(before);
    },
  );
});

test('libsql itself destroys a killed database that is opened with a wrong key', {
  timeout: 20_000,
}, async () => {
  const path = join(temporaryDirectory(), 'test.db');
  await killedDatabase(path, KEY);
  const wrong = bare(path, 'another key');
  expect(() => wrong.exec('SELECT count(*) FROM sqlite_schema')).toThrow('file is not a database');
  wrong.close();
  const right = bare(path, KEY);
  expect(
    () => right.exec('SELECT count(*) FROM ticket'),
    'the upgrade mended it: file.ts need not try keys on a copy any more',
  ).toThrow('file is not a database');
  right.close();
});
