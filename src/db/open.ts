/**
 * Opens the configured database: a file through the synchronous binding, anything else through
 * @libsql/client.
 */
import { existsSync, realpathSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import type { Clock } from '../lib/clock.ts';
import { DatabaseRefused } from './database.ts';
import type { Database } from './database.ts';
import type { FlushDone, FlushMode } from './durability.ts';
import { prepareFile, unreadable } from './file.ts';
import { openLocal } from './local.ts';
import type { Commit, StorageChange } from './local.ts';
import { migrate, pendingMigrations } from './migrate.ts';
import type { Migration } from './migrate.ts';
import { migrations as embedded } from './migrations.ts';
import { openRemote } from './remote.ts';
import { isNotADatabase } from './sqlite-error.ts';

export type { Commit, StorageChange } from './local.ts';

export interface OpenOptions {
  /** A path, `file:` with a path, or `libsql:`, `https:`, `http:`, `wss:`, `ws:`. */
  readonly url: string;
  /** Encrypts a file at rest. */
  readonly encryptionKey?: string | undefined;
  /** The token for a remote database. */
  readonly authToken?: string | undefined;
  /** How long a call may wait for another process's lock. */
  readonly busyTimeoutMs: number;
  /** `client` uses @libsql/client for a file too, so that the tests cover both drivers. */
  readonly driver?: 'auto' | 'client';
  readonly clock: Clock;
  /** Warnings for the operator, one sentence each. */
  readonly warn?: (message: string) => void;
  /** Whether commits wait for the disk on the event loop; for a local file. Default: `inline`. */
  readonly flush?: FlushMode;
  /** Where the checkpoint thread's program is, when it is not beside this one. */
  readonly checkpointLaneUrl?: URL;
  /** Called when writes to a local file are no longer possible, and when they are again. */
  readonly onStorage?: (change: StorageChange) => void;
  readonly onCommit?: (commit: Commit) => void;
  readonly onFlush?: (flush: FlushDone) => void;
  /** Replaces the embedded migrations, in tests. */
  readonly migrations?: readonly Migration[];
}

export interface OpenDatabase extends Database {
  /** The absolute path, or scheme and host. */
  readonly location: string;
  /** Whether it was empty. */
  readonly isNew: boolean;
  /**
   * Applies all pending migrations, or none; returns their tags. @throws {DatabaseRefused} a newer
   * program wrote it
   */
  migrate(): Promise<readonly string[]>;
  /**
   * The tags that {@link migrate} would apply. @throws {DatabaseRefused} a newer program wrote it
   */
  pendingMigrations(): Promise<readonly string[]>;
}

const REMOTE = /^(?:libsql|https?|wss?):/i;
const SCHEME = /^[a-z][a-z0-9+.-]+:/i;

/**
 * Opens the database without migrating it.
 *
 * @throws {DatabaseRefused} it can't be used as it is; nothing was changed
 * @throws {DatabaseBusy} another process held its lock past the deadline
 */
export async function openDatabase(options: OpenOptions): Promise<OpenDatabase> {
  const { url, encryptionKey, clock, driver = 'auto' } = options;
  const list = options.migrations ?? embedded;
  const finish = (db: Database, location: string, name: string, isNew: boolean): OpenDatabase => ({
    ...db,
    location,
    isNew,
    migrate: () => migrate(db, list, clock, name),
    pendingMigrations: async () => (await pendingMigrations(db, list, name)).map(({ tag }) => tag),
  });
  const warn = options.warn ?? (() => {});

  if (REMOTE.test(url)) {
    if (encryptionKey !== undefined)
      throw new DatabaseRefused(
        'database.encryption_key is for a file; a remote database is encrypted by its server. Remove the setting.',
      );
    const db = await openRemote(url, { ...options, warn });
    const { protocol, host } = new URL(url);
    const location = `${protocol}//${host}`;
    const untouched = (await pendingMigrations(db, list, location)).length === list.length;
    return finish(db, location, location, untouched);
  }

  const path = filePath(url);
  const name = basename(path);
  if (driver === 'client') {
    const { isNew, warnings } = prepareFile(path, encryptionKey);
    warnings.forEach(warn);
    try {
      return finish(
        await openRemote(`file:${encodeURI(path).replaceAll(/[?#]/g, encodeURIComponent)}`, {
          ...options,
          warn,
        }),
        path,
        name,
        isNew,
      );
    } catch (error) {
      throw isNotADatabase(error) ? unreadable(path, encryptionKey, error) : error;
    }
  }
  const db = await openLocal(path, options);
  db.warnings.forEach(warn);
  return finish(db, path, name, db.isNew);
}

/** The file of this URL; null for a remote database. @throws {DatabaseRefused} it is neither */
export function databaseFile(url: string): string | null {
  return REMOTE.test(url) ? null : filePath(url);
}

/**
 * The absolute path of a path or `file:` URL. @throws {DatabaseRefused} it is another kind of URL
 */
function filePath(url: string): string {
  const isUrl = /^file:/i.test(url);
  if (!isUrl && SCHEME.test(url) && !existsSync(url)) {
    throw new DatabaseRefused(
      `database.url starts with ${url.slice(0, url.indexOf(':') + 1)}, which postern does not support. Write a path, or file:, libsql:, https:, http:, wss: or ws:.`,
    );
  }
  if (url === '' || url === ':memory:' || /^file::memory:/i.test(url))
    throw new DatabaseRefused(
      'database.url names no file. Write a path such as ./data/postern.db.',
    );
  if (!isUrl) return real(resolve(url));
  const rest = url.slice('file:'.length);
  if (/[?#]/.test(rest))
    throw new DatabaseRefused(
      'database.url has a "?" or "#", which a file can\'t have. Write only the path.',
    );
  const local = rest.replace(/^\/\/(?:localhost)?(?=\/)/i, '');
  if (local.startsWith('//'))
    throw new DatabaseRefused(
      'database.url names another host. A file is file:/absolute/path or file:relative/path.',
    );
  try {
    return real(resolve(decodeURIComponent(local)));
  } catch (cause) {
    throw new DatabaseRefused('database.url has a "%" that is not percent-encoding.', { cause });
  }
}

/** Resolves a symbolic link: SQLite puts its log beside the target. */
function real(path: string): string {
  return existsSync(path) ? realpathSync(path) : path;
}
