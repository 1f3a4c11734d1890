/**
 * The archive of a backup: its parts, written completely or not at all, and verified with
 * checksums.
 */
import {
  closeSync,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import { createDigest, sha256Hex } from '../crypto/digest.ts';
import { TAR_BLOCK, TAR_END, readTarHeader, tarHeader, tarPadding } from '../lib/tar.ts';
import type { TarEntry } from '../lib/tar.ts';

/** Names in the archive. */
export const PARTS = {
  manifest: 'manifest.json',
  database: 'postern.db',
  key: 'key-encryption.key',
  sealedKey: 'key-encryption.key.rsa-oaep-sha256',
  sealedDatabaseKey: 'database.encryption_key.rsa-oaep-sha256',
} as const;

export const Manifest = z.object({
  format: z.literal(1),
  postern: z.string(),
  created_at: z.iso.datetime(),
  database: z.object({ encrypted: z.boolean(), bytes: z.int(), sha256: z.string() }),
  /** The source of the key-encryption key: in the archive, sealed in it, or the configuration. */
  key: z.enum(['file', 'sealed', 'configured', 'left_out']),
  sha256: z.record(z.string(), z.string()),
});
export type Manifest = z.output<typeof Manifest>;

/** A part: bytes, or a file to read. */
export interface Part {
  readonly name: string;
  readonly content: Uint8Array | { readonly path: string };
}

const CHUNK_BYTES = 1_048_576;

/** SHA-256 of a file, in hexadecimal. */
export function fileDigest(path: string): { readonly sha256: string; readonly bytes: number } {
  const hash = createDigest();
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    for (const chunk of chunksOf(file, 0, size)) hash.update(chunk);
    return { sha256: hash.hex(), bytes: size };
  } finally {
    closeSync(file);
  }
}

function* chunksOf(file: number, from: number, length: number): Generator<Buffer> {
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  for (let at = 0; at < length; ) {
    const bytes = readSync(file, chunk, 0, Math.min(CHUNK_BYTES, length - at), from + at);
    if (bytes === 0) throw new TypeError('the archive is truncated');
    yield chunk.subarray(0, bytes);
    at += bytes;
  }
}

/** Writes the archive, and gives it its name only when it is complete and flushed. */
export function writeArchive(path: string, parts: readonly Part[], now: number): void {
  const mtime = Math.floor(now / 1000);
  const file = openSync(`${path}.part`, 'w', 0o600);
  try {
    for (const { name, content } of parts) {
      if (content instanceof Uint8Array) {
        writeSync(file, tarHeader({ name, size: content.length, mode: 0o600, mtime }));
        writeSync(file, content);
        writeSync(file, Buffer.alloc(tarPadding(content.length)));
        continue;
      }
      const source = openSync(content.path, 'r');
      try {
        const { size } = fstatSync(source);
        writeSync(file, tarHeader({ name, size, mode: 0o600, mtime }));
        for (const chunk of chunksOf(source, 0, size)) writeSync(file, chunk);
        writeSync(file, Buffer.alloc(tarPadding(size)));
      } finally {
        closeSync(source);
      }
    }
    writeSync(file, TAR_END);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(`${path}.part`, path);
  syncFolder(dirname(path));
}

export function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

const MAX_SMALL_BYTES = 65_536;
const KNOWN: readonly string[] = Object.values(PARTS);

export interface ReadArchive {
  readonly manifest: Manifest;
  /** The small parts. */
  readonly small: ReadonlyMap<string, Buffer>;
  /** The path of the unpacked database. */
  readonly database: string;
}

/**
 * Unpacks an archive into a folder and compares every checksum.
 *
 * @throws {TypeError} it is truncated, altered or not an archive
 */
export function readArchive(path: string, folder: string): ReadArchive {
  const unpacked: Unpacked = {
    small: new Map(),
    digests: new Map(),
    database: join(folder, PARTS.database),
  };
  const file = openSync(path, 'r');
  try {
    for (let at = 0; ; ) {
      const header = Buffer.alloc(TAR_BLOCK);
      const bytes = readSync(file, header, 0, TAR_BLOCK, at);
      const entry = readTarHeader(header.subarray(0, bytes));
      if (entry === undefined) break;
      readEntry(file, at + TAR_BLOCK, entry, unpacked);
      at += TAR_BLOCK + entry.size + tarPadding(entry.size);
    }
  } finally {
    closeSync(file);
  }
  const { small, digests, database } = unpacked;
  return { manifest: checkedManifest(small, digests), small, database };
}

interface Unpacked {
  readonly small: Map<string, Buffer>;
  readonly digests: Map<string, string>;
  readonly database: string;
}

/** No file name of the archive is used as a path. */
function readEntry(file: number, from: number, { name, size }: TarEntry, to: Unpacked): void {
  const isDatabase = name === PARTS.database;
  const isKnown = KNOWN.includes(name) && !to.digests.has(name);
  if (!isKnown || (!isDatabase && size > MAX_SMALL_BYTES))
    throw new TypeError('it contains a file that no backup has');
  const hash = createDigest();
  if (!isDatabase) {
    const content = Buffer.concat(
      [...chunksOf(file, from, size)].map((chunk) => Buffer.from(chunk)),
    );
    to.small.set(name, content);
    to.digests.set(name, sha256Hex(content));
    return;
  }
  const target = openSync(to.database, 'wx', 0o600);
  try {
    for (const chunk of chunksOf(file, from, size)) {
      hash.update(chunk);
      writeSync(target, chunk);
    }
    fsyncSync(target);
  } finally {
    closeSync(target);
  }
  to.digests.set(name, hash.hex());
}

function checkedManifest(
  small: ReadonlyMap<string, Buffer>,
  digests: ReadonlyMap<string, string>,
): Manifest {
  const text = small.get(PARTS.manifest)?.toString('utf8');
  if (text === undefined || !digests.has(PARTS.database))
    throw new TypeError('it is not a backup of postern');
  let manifest: Manifest;
  try {
    manifest = Manifest.parse(JSON.parse(text));
  } catch (cause) {
    throw new TypeError('its manifest is of another version, or damaged', { cause });
  }
  const expected: Readonly<Record<string, string>> = {
    ...manifest.sha256,
    [PARTS.database]: manifest.database.sha256,
  };
  for (const [name, digest] of digests)
    if (name !== PARTS.manifest && expected[name] !== digest)
      throw new TypeError(`${name} in it does not match its manifest`);
  for (const name of Object.keys(expected))
    if (!digests.has(name)) throw new TypeError(`${name} is missing from it`);
  return manifest;
}
