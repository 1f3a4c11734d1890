/**
 * Nothing is told of a commit before the disk has it (T17). The disk's flush stands behind a gate
 * here; a power cut leaves what was flushed, and any number of the frames after it.
 */
import fs, { copyFileSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import Libsql from 'libsql';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { raw } from '../../src/db/prepare.ts';
import type { OpenDatabase } from '../../src/db/open.ts';
import { addQuietly, names, open, temporaryDirectory } from './support.ts';

const { fdatasync } = fs;
type Done = (error: NodeJS.ErrnoException | null) => void;

/** Flushes that are asked for and not done yet. */
let held: { readonly fd: number; readonly done: Done }[] = [];
let onHeld: (() => void) | undefined;
let isOpen = false;

function holdFlushes(): void {
  held = [];
  isOpen = false;
  Object.assign(fs, {
    fdatasync: (fd: number, done: Done) => {
      if (isOpen) return fdatasync(fd, done);
      held.push({ fd, done });
      onHeld?.();
    },
  });
  syncBuiltinESMExports();
}

/** Resolves when a flush was asked for. */
const asked = async (): Promise<void> => {
  if (held.length === 0) await new Promise<void>((resolve) => (onHeld = resolve));
};

/** Lets one flush happen. */
const flushOne = async (): Promise<void> => {
  await asked();
  const one = held.shift();
  if (one !== undefined)
    await new Promise<void>((resolve) =>
      fdatasync(one.fd, (error) => {
        one.done(error);
        resolve();
      }),
    );
};

/** Lets all flushes happen from now on. */
const release = (): void => {
  isOpen = true;
  for (const { fd, done } of held.splice(0)) fdatasync(fd, done);
};

/** Whether a promise has settled by now, after every turn that needs no flush. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  promise.then(
    () => (settled = true),
    () => (settled = true),
  );
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  return settled;
}

let path: string;
let db: OpenDatabase;
beforeEach(async () => {
  path = join(temporaryDirectory(), 'test.db');
  db = await open(path, { flush: 'background' });
  holdFlushes();
});
afterEach(() => {
  release();
  Object.assign(fs, { fdatasync });
  syncBuiltinESMExports();
});

const countThings = raw<{ n: number }>('SELECT count(*) FROM thing', ['n']);
const countParts = raw<{ n: number }>('SELECT count(*) FROM part', ['n']);

describe('with background flushes', () => {
  test('a write settles after the flush that covers it, and the event loop goes on meanwhile', async () => {
    const write = db.write([addQuietly({ name: 'a' })]);
    expect(await isSettled(write)).toBe(false);
    await flushOne();
    await write;
  });

  test('a read of what is not flushed waits, a read of other tables does not', async () => {
    const write = db.write([addQuietly({ name: 'a' })]);
    await asked();
    const same = db.read(countThings());
    const other = db.read(countParts());
    expect([await isSettled(same), await isSettled(other)]).toEqual([false, true]);
    await flushOne();
    expect(await same).toEqual([{ n: 1 }]);
    await write;
  });

  test('a refusal by what is not flushed waits too: a name is taken when the disk says so', async () => {
    const first = db.write([addQuietly({ name: 'taken' })]);
    await asked();
    const second = db.write([addQuietly({ name: 'taken' })]);
    expect(await isSettled(second)).toBe(false);
    await flushOne();
    await first;
    await expect(second).rejects.toMatchObject({ name: 'UniqueViolation' });
  });

  test('what is committed while a flush is under way is covered by the next one', async () => {
    const first = db.write([addQuietly({ name: 'a' })]);
    await asked();
    const others = ['b', 'c', 'd'].map((name) => db.write([addQuietly({ name })]));
    for (const other of others) expect(await isSettled(other)).toBe(false);
    await flushOne();
    await first;
    for (const other of others) expect(await isSettled(other)).toBe(false);
    await flushOne();
    await Promise.all(others);
    expect(held).toEqual([]);
  });

  test('a list that changes nothing asks for no flush', async () => {
    await db.write([raw('DELETE FROM thing WHERE id = 99')()]);
    expect(held).toEqual([]);
  });

  test('a flush that fails rejects all that it should have covered, and the next one is a new try', async () => {
    const write = db.write([addQuietly({ name: 'a' })]);
    await asked();
    held.shift()?.done(Object.assign(new Error('EIO'), { code: 'EIO' }));
    await expect(write).rejects.toMatchObject({
      name: 'StorageUnavailable',
      cause: { code: 'EIO' },
    });
    release();
    await db.write([addQuietly({ name: 'b' })]);
  });

  test('closing waits for the flush', async () => {
    const write = db.write([addQuietly({ name: 'a' })]);
    await asked();
    const closing = db.close();
    expect(await isSettled(closing)).toBe(false);
    release();
    await Promise.all([write, closing]);
  });
});

test('a power cut at any frame after the last flush loses nothing that was acknowledged', async () => {
  const acknowledged = new Set<string>();
  const writes: Promise<unknown>[] = [];
  let flushedBytes = 0;
  const write = (name: string): void => {
    const done = db.write([addQuietly({ name })]).then(() => acknowledged.add(name));
    writes.push(done);
  };
  const copies = temporaryDirectory();
  const log = `${path}-wal`;
  for (let round = 0; round < 12; round++) {
    for (let n = 0; n < 3; n++) {
      write(`r${round}n${n}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await asked();
    // What this flush covers at least: all that the log holds before it begins.
    const before = statSync(log).size;
    if (round % 3 !== 2) {
      await flushOne();
      await new Promise((resolve) => setImmediate(resolve));
      flushedBytes = before;
    }
    const page = 4096 + 24;
    for (let size = flushedBytes; size <= statSync(log).size; size += page) {
      const copy = join(copies, `cut-${round}-${size}.db`);
      copyFileSync(path, copy);
      writeFileSync(`${copy}-wal`, readFileSync(log));
      truncateSync(`${copy}-wal`, size);
      const after = new Libsql(copy);
      const left = after.prepare('SELECT name FROM thing').raw(true).all().flat();
      expect(after.prepare('PRAGMA integrity_check').raw(true).get()).toEqual(['ok']);
      after.close();
      expect([...acknowledged].filter((name) => !left.includes(name))).toEqual([]);
    }
  }
  release();
  await Promise.all(writes);
  expect((await db.read(names())).length).toBe(36);
});

test('checkpoints move the log into the file beside the commits, and nothing is lost', async () => {
  release();
  const text = 'x'.repeat(2_000);
  const MOVED = 4 * 1024 * 1024;
  let rows = 0;
  // Commits go on until a checkpoint has run beside them, however long its thread takes to start.
  while (statSync(path).size < MOVED) {
    const batch = Array.from({ length: 200 }, () =>
      db.write([addQuietly({ name: `${rows++} ${text}` })]),
    );
    await Promise.all(batch);
    expect(rows).toBeLessThan(1_000_000);
  }
  expect((await db.read(countThings()))[0]?.n).toBe(rows);
  await db.close();
  const after = new Libsql(path);
  expect(after.prepare('SELECT count(*) FROM thing').raw(true).get()).toEqual([rows]);
  expect(after.prepare('PRAGMA integrity_check').raw(true).get()).toEqual(['ok']);
  after.close();
});
