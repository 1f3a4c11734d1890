/**
 * Re-encrypts every stored secret after the key-encryption key was changed. Each value is replaced
 * by itself, only if it is still the one that was read. A mixture is readable as long as both keys
 * are configured, so this may run beside the service, be killed, and run again.
 */
import { SealError } from '../../crypto/seal.ts';
import type { Sealer } from '../../crypto/seal.ts';
import type { Database } from '../../db/database.ts';
import type { Commit } from '../commit.ts';
import type { Prepare } from '../../db/prepare.ts';

/** A sealed value where it is stored. */
export interface SealedRow {
  /** The primary key. */
  readonly key: string;
  readonly sealed: string | null;
}

/** A column of sealed values; a feature lists its own among its parts. */
export interface SealedColumn {
  /** Its table and column. */
  readonly name: string;
  /** The rows after a key, in order, with the places that each may have been sealed for. */
  page(
    db: Pick<Database, 'read'>,
    after: string,
    limit: number,
  ): Promise<readonly (SealedRow & { readonly places: readonly string[] })[]>;
  /**
   * Takes `key`, `seen` and `sealed`: returns the row if the value was still the one that was read.
   */
  readonly replace: Prepare<unknown>;
}

/** Makes the column from its two queries; `page` takes `after` and `limit`. */
export function sealedColumn<Row extends SealedRow>(
  name: string,
  queries: { readonly page: Prepare<Row>; readonly replace: Prepare<unknown> },
  places: (row: Row) => readonly string[],
): SealedColumn {
  return {
    name,
    replace: queries.replace,
    page: async (db, after, limit) =>
      (await db.read(queries.page({ after, limit }))).map((row) => ({
        key: row.key,
        sealed: row.sealed,
        places: places(row),
      })),
  };
}

export interface Resealed {
  /** Number of values that were checked. */
  readonly total: number;
  readonly resealed: number;
  /** Number of values sealed with a key that is not configured; unchanged. */
  readonly unopened: number;
}

/** Short commits, so that sign-ins run in between. */
const BATCH = 100;

export interface ResealDeps {
  readonly db: Pick<Database, 'read'>;
  readonly commit: Pick<Commit, 'inAnySession'>;
  readonly sealer: Sealer;
}

/** Processes every value once, and once more those that somebody else changed meanwhile. */
export async function resealAll(
  deps: ResealDeps,
  columns: readonly SealedColumn[],
  onProgress: (done: number) => void,
): Promise<Resealed> {
  const counts = { total: 0, resealed: 0, unopened: 0 };
  for (const column of columns) {
    for (let after = ''; ; ) {
      const rows = await column.page(deps.db, after, BATCH);
      const last = rows.at(-1);
      if (last === undefined) break;
      counts.total += rows.length;
      const outcome = await resealPage(deps, column, rows);
      counts.resealed += outcome.resealed;
      counts.unopened += outcome.unopened;
      onProgress(counts.total);
      // Read a page again if one of its values changed meanwhile; values that are current are
      // skipped.
      if (outcome.overtaken > 0) counts.total -= rows.length;
      else after = last.key;
    }
  }
  return counts;
}

async function resealPage(
  { commit, sealer }: ResealDeps,
  { replace }: SealedColumn,
  rows: Awaited<ReturnType<SealedColumn['page']>>,
): Promise<{ resealed: number; unopened: number; overtaken: number }> {
  let unopened = 0;
  const statements = rows.flatMap(({ key, sealed, places }) => {
    if (sealed === null || sealer.isCurrent(sealed)) return [];
    const opened = openedAt(sealer, sealed, places);
    if (opened === undefined) {
      unopened += 1;
      return [];
    }
    return [replace({ key, seen: sealed, sealed: sealer.seal(opened.place, opened.plaintext) })];
  });
  if (statements.length === 0) return { resealed: 0, unopened, overtaken: 0 };
  const committed = await commit.inAnySession(statements);
  const resealed = statements.filter((one) => committed.rowsOf(one).length > 0).length;
  const overtaken = statements.length - resealed;
  return { resealed, unopened: overtaken > 0 ? 0 : unopened, overtaken };
}

function openedAt(sealer: Sealer, sealed: string, places: readonly string[]) {
  for (const place of places) {
    try {
      return { place, plaintext: sealer.open(place, sealed) };
    } catch (error) {
      if (!(error instanceof SealError)) throw error;
    }
  }
  return undefined;
}
