/**
 * Token Status Lists: one bit per session, set when it has ended. A list is built on request if the
 * set of ended sessions has changed, compressed on the thread pool, and cached as bytes.
 *
 * @see https://datatracker.ietf.org/doc/draft-ietf-oauth-status-list/
 */
import { promisify } from 'node:util';
import { deflate, gzip } from 'node:zlib';
import { LRUCache } from 'lru-cache';
import { signJws } from '../../crypto/jws.ts';
import type { Database } from '../../db/database.ts';
import { prepare, query } from '../../db/prepare.ts';
import type { Clock } from '../../lib/clock.ts';
import { coalesce } from '../../lib/coalesce.ts';
import type { Revocations } from '../session/revocation.ts';
import { statusCounter } from '../session/tables.ts';
import type { AccessKeys } from './access-token.ts';
import { LIST_SIZE } from './status-index.ts';
import type { PlaceInStatusList } from './status-index.ts';
import { STATUS_LIST_TOKEN_TYPE } from './token-type.ts';

/** A list as it is served. */
export interface StatusListBytes {
  readonly token: string;
  readonly gzip: Buffer;
}

/** The claim of an access token that points to its bit. */
export interface StatusClaim {
  readonly status_list: { readonly idx: number; readonly uri: string };
}

export interface StatusLists {
  /** The claim for a session's tokens; undefined when lists are off, or it has no number. */
  claim(statusIndex: number | null): StatusClaim | undefined;
  /** The current list, synchronously when it is cached; undefined when no list has this number. */
  current(list: number): StatusListBytes | Promise<StatusListBytes | undefined>;
}

export interface StatusListDeps {
  readonly db: Pick<Database, 'read'>;
  readonly clock: Clock;
  readonly keys: AccessKeys;
  readonly revocations: Pick<Revocations, 'statusIndexes' | 'version'>;
  readonly place: PlaceInStatusList;
  readonly issuer: string;
  /** Whether tokens carry the claim. */
  readonly isOn: boolean;
  /** How long a verifier may cache a list. */
  readonly ttlMs: number;
}

const counter = prepare(query.select({ next: statusCounter.next }).from(statusCounter).limit(1));

/** A replayed list must not be accepted for longer than an access token lives. */
const LONGEST_EXP_MS = 15 * 60_000;
/** `exp` is this many `ttl` after `iat`, and the list is re-signed after this many. */
const EXP_TTLS = 20;
const RENEW_TTLS = 4;

/** Maximum age of a list, on a busy service, before an ended session is in it. */
const GATHER_MS = 250;

const KEPT_LISTS = 64;

const deflated = promisify<Buffer, { level: number }, Buffer>(deflate);
const gzipped = promisify<Buffer, { level: number }, Buffer>(gzip);

interface Made {
  readonly version: number;
  readonly madeAt: number;
  readonly signedAt: number;
  readonly lst: string;
  readonly kid: string;
  readonly bytes: StatusListBytes;
}

/** With more ended sessions, the highest level takes 15 times as long for a seventh fewer bytes. */
const FEW_ENDED = 2_000;

/**
 * The compressed list: bits from the least significant one, ZLIB, at its highest level where that
 * is cheap (§4.1, §4.2; a recommendation there).
 */
export async function compressStatusList(indexes: Iterable<number>): Promise<string> {
  const bits = Buffer.alloc(LIST_SIZE / 8);
  let ended = 0;
  for (const index of indexes) {
    bits[index >> 3] = (bits[index >> 3] ?? 0) | (1 << (index & 7));
    ended++;
  }
  return (await deflated(bits, { level: ended > FEW_ENDED ? 6 : 9 })).toString('base64url');
}

export function createStatusLists(deps: StatusListDeps): StatusLists {
  const { db, clock, keys, revocations, place, issuer, isOn, ttlMs } = deps;
  const made = new LRUCache<number, Made>({ max: KEPT_LISTS });
  const making = new Map<number, Promise<Made | undefined>>();
  const uriOf = (list: number): string => `${issuer}/status-lists/${list}`;

  const sign = (list: number, lst: string, now: number): string => {
    const iat = Math.floor(now / 1000);
    return signJws(keys.signingKey(), STATUS_LIST_TOKEN_TYPE, {
      sub: uriOf(list),
      iss: issuer,
      iat,
      exp: iat + Math.floor(Math.min(EXP_TTLS * ttlMs, LONGEST_EXP_MS) / 1000),
      ttl: Math.floor(ttlMs / 1000),
      status_list: { bits: 1, lst },
    });
  };

  function* indexesOf(list: number): Iterable<number> {
    for (const sequence of revocations.statusIndexes()) {
      const at = place(sequence);
      if (at.list === list) yield at.index;
    }
  }

  const readCounter = coalesce(async () => (await db.read(counter()))[0]?.next ?? 0);
  let last = { list: -1, readAt: Number.NEGATIVE_INFINITY };

  /** Reloaded at most four times a second: anybody may request any number (A09). */
  const exists = async (list: number): Promise<boolean> => {
    const now = clock.now();
    if (list > last.list && Math.abs(now - last.readAt) >= GATHER_MS) {
      const next = await readCounter();
      last = { list: Math.floor(next / LIST_SIZE), readAt: now };
    }
    return list <= last.list;
  };

  const make = async (list: number): Promise<Made | undefined> => {
    const before = made.get(list);
    if (before === undefined && !(await exists(list))) return undefined;
    const now = clock.now();
    const { version } = revocations;
    const lst =
      before?.version === version ? before.lst : await compressStatusList(indexesOf(list));
    const token = sign(list, lst, now);
    const bytes = { token, gzip: await gzipped(Buffer.from(token), { level: 6 }) };
    const { kid } = keys.signingKey();
    const one = { version, madeAt: now, signedAt: now, lst, kid, bytes };
    made.set(list, one);
    return one;
  };

  const isCurrent = ({ version, madeAt, signedAt, kid }: Made): boolean => {
    const now = clock.now();
    // A clock that was set back also makes a list stale.
    if (Math.abs(now - signedAt) >= RENEW_TTLS * ttlMs) return false;
    if (keys.signingKey().kid !== kid) return false;
    return version === revocations.version || Math.abs(now - madeAt) < GATHER_MS;
  };

  return {
    claim: (statusIndex) => {
      if (!isOn || statusIndex === null) return undefined;
      const { list, index } = place(statusIndex);
      return { status_list: { idx: index, uri: uriOf(list) } };
    },
    current: (list) => {
      const kept = made.get(list);
      if (kept !== undefined && isCurrent(kept)) return kept.bytes;
      let one = making.get(list);
      if (one === undefined) {
        one = make(list).finally(() => making.delete(list));
        making.set(list, one);
      }
      return one.then((settled) => settled?.bytes);
    },
  };
}
