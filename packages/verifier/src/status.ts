/**
 * Status lists of the issuer: fetched when a token first names one, and again at their `ttl` while
 * tokens go on naming it, so that a session that ended is known within it.
 *
 * @see https://datatracker.ietf.org/doc/draft-ietf-oauth-status-list/
 */
import { base64url, jwtVerify } from 'jose';
import { fetchDocument, readLimited } from './fetch.ts';
import type { Fetch } from './fetch.ts';
import type { Keys } from './keys.ts';

/** What is known of a token's bit. */
export type TokenStatus = 'valid' | 'revoked' | 'unavailable';

export interface StatusLists {
  /** From memory; undefined when the list has to be fetched first. */
  known(uri: string, index: number): TokenStatus | undefined;
  /** The same after a fetch, if one is due. */
  find(uri: string, index: number): Promise<TokenStatus>;
  close(): void;
}

export interface StatusOptions {
  readonly fetch: Fetch;
  readonly keys: Keys;
  readonly issuer: string;
  readonly leewaySeconds: number;
  readonly now: () => number;
  /** What to do with a list that is older than its `exp`, or was never had. */
  readonly unavailable: 'accept-until-exp' | 'refuse';
  readonly poll: 'in-background' | 'on-demand';
}

const MAX_LISTS = 64;
const MAX_LIST_BYTES = 4 * 1_048_576;
const DEFAULT_TTL_S = 60;
const LONGEST_TTL_S = 3_600;
/** Lists that no token has named for so long are not polled any more. */
const UNUSED_MS = 20 * 60_000;
const RETRY_MS = 1_000;
/** A fetch that takes longer keeps nobody waiting while there is a list to go by. */
const PATIENCE_MS = 1_000;

interface List {
  bytes: Uint8Array | undefined;
  bits: number;
  etag: string | null;
  fetchedAt: number;
  triedAt: number;
  usedAt: number;
  ttlMs: number;
  expiresAt: number;
  /** The last fetch has failed, or takes too long: what is known answers until one succeeds. */
  isLate: boolean;
  fetching: Promise<void> | undefined;
  timer: ReturnType<typeof setTimeout> | undefined;
}

export function createStatusLists(options: StatusOptions): StatusLists {
  const { now, unavailable, poll } = options;
  const lists = new Map<string, List>();

  const listOf = (uri: string): List => {
    const known = lists.get(uri);
    if (known !== undefined) {
      known.usedAt = now();
      return known;
    }
    const list: List = {
      bytes: undefined,
      bits: 1,
      etag: null,
      fetchedAt: Number.NEGATIVE_INFINITY,
      triedAt: Number.NEGATIVE_INFINITY,
      usedAt: now(),
      ttlMs: 0,
      expiresAt: 0,
      isLate: false,
      fetching: undefined,
      timer: undefined,
    };
    lists.set(uri, list);
    if (lists.size > MAX_LISTS) dropOldest();
    return list;
  };

  const dropOldest = (): void => {
    const [oldest] = [...lists].sort(([, a], [, b]) => a.usedAt - b.usedAt);
    if (oldest === undefined) return;
    clearTimeout(oldest[1].timer);
    lists.delete(oldest[0]);
  };

  const load = async (uri: string, list: List): Promise<void> => {
    list.triedAt = now();
    try {
      await fetchList(options, uri, list);
      list.isLate = false;
    } catch {
      list.isLate = true;
      // What is known goes on until its exp; `unavailable` says what comes then.
    }
    schedule(uri, list);
  };

  const refresh = (uri: string, list: List): Promise<void> =>
    (list.fetching ??= load(uri, list).finally(() => {
      list.fetching = undefined;
    }));

  const schedule = (uri: string, list: List): void => {
    if (poll !== 'in-background' || lists.get(uri) !== list) return;
    clearTimeout(list.timer);
    if (now() - list.usedAt > UNUSED_MS) return;
    const timer: unknown = setTimeout(
      () => void refresh(uri, list),
      Math.max(RETRY_MS, list.ttlMs),
    );
    // In Node it must not keep the process.
    if (
      typeof timer === 'object' &&
      timer !== null &&
      'unref' in timer &&
      typeof timer.unref === 'function'
    )
      timer.unref();
    list.timer = timer as List['timer'];
  };

  const isFresh = ({ bytes, fetchedAt, ttlMs }: List): boolean =>
    bytes !== undefined && Math.abs(now() - fetchedAt) < ttlMs;
  const mayTry = ({ triedAt }: List): boolean => Math.abs(now() - triedAt) >= RETRY_MS;

  /** What the list that is there says, however old. */
  const read = ({ bytes, bits, expiresAt }: List, index: number): TokenStatus => {
    const isUsable =
      bytes !== undefined && (unavailable === 'accept-until-exp' || expiresAt > now());
    if (!isUsable) return 'unavailable';
    const perByte = 8 / bits;
    const byte = bytes[Math.floor(index / perByte)];
    // Out of range: nobody vouches for it.
    if (byte === undefined) return 'revoked';
    return ((byte >> ((index % perByte) * bits)) & (2 ** bits - 1)) === 0 ? 'valid' : 'revoked';
  };

  const isDue = (list: List): boolean => list.fetching !== undefined || mayTry(list);

  /** Whether an answer from memory will do while the list is late: when waiting can't better it. */
  const willDo = (status: TokenStatus): boolean =>
    status !== 'unavailable' || unavailable === 'accept-until-exp';

  const patiently = async (refreshed: Promise<void>, list: List): Promise<void> => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        list.isLate = true;
        resolve();
      }, PATIENCE_MS);
    });
    await Promise.race([refreshed, late]);
    clearTimeout(timer);
  };

  return {
    known: (uri, index) => {
      const list = listOf(uri);
      if (isFresh(list) || !isDue(list)) return read(list, index);
      const status = list.isLate ? read(list, index) : undefined;
      if (status === undefined || !willDo(status)) return undefined;
      void refresh(uri, list);
      return status;
    },
    find: async (uri, index) => {
      const list = listOf(uri);
      if (!isFresh(list) && isDue(list)) {
        const refreshed = refresh(uri, list);
        // Nothing to go by: however long it takes.
        if (willDo(read(list, index)) && list.bytes !== undefined) await patiently(refreshed, list);
        else await refreshed;
      }
      return read(list, index);
    },
    close: () => {
      for (const { timer } of lists.values()) clearTimeout(timer);
      lists.clear();
    },
  };
}

/** Fetches, verifies and unpacks a list. @throws {Error} */
async function fetchList(
  { fetch, keys, issuer, leewaySeconds, now }: StatusOptions,
  uri: string,
  list: List,
): Promise<void> {
  const accept = 'application/statuslist+jwt';
  const found = await fetchDocument(fetch, uri, { accept, etag: list.etag });
  if (found === null) {
    list.fetchedAt = now();
    return;
  }
  const { payload } = await jwtVerify(
    found.text,
    async ({ kid = '', alg }) => {
      const published = await keys.find(kid);
      if (published.alg !== alg) throw new Error('another algorithm than the key’s');
      return published.key;
    },
    {
      typ: 'statuslist+jwt',
      issuer,
      subject: uri,
      clockTolerance: leewaySeconds,
      currentDate: new Date(now()),
      requiredClaims: ['iat', 'exp'],
    },
  );
  const { bits, lst } = statusListOf(payload);
  list.bytes = await inflate(lst);
  list.bits = bits;
  list.etag = found.etag;
  list.fetchedAt = now();
  list.expiresAt = (Number(payload.exp) + leewaySeconds) * 1_000;
  const ttl = payload['ttl'];
  const seconds = typeof ttl === 'number' && ttl > 0 ? ttl : DEFAULT_TTL_S;
  list.ttlMs = Math.min(seconds, LONGEST_TTL_S) * 1_000;
}

function statusListOf(payload: Record<string, unknown>): { bits: number; lst: string } {
  const list = payload['status_list'];
  if (typeof list !== 'object' || list === null || !('bits' in list) || !('lst' in list))
    throw new Error('no status list');
  const { bits, lst } = list;
  if (typeof bits !== 'number' || ![1, 2, 4, 8].includes(bits) || typeof lst !== 'string')
    throw new Error('no status list');
  return { bits, lst };
}

/** ZLIB (RFC 1950), which the Compression Streams standard calls `deflate`. */
async function inflate(lst: string): Promise<Uint8Array> {
  const packed = new Response(Uint8Array.from(base64url.decode(lst))).body;
  if (packed === null) throw new Error('an empty status list');
  return readLimited(packed.pipeThrough(new DecompressionStream('deflate')), MAX_LIST_BYTES);
}
