/**
 * The issuer's keys. They are published long before they sign, and fetched again every few minutes,
 * so that a rotation costs nothing. An unknown key id fetches them too, at most once a cool-down;
 * when they can't be fetched, those that are known go on for an hour.
 */
import { importJWK } from 'jose';
import type { JWK } from 'jose';
import { VerifierError } from './error.ts';
import { fetchDocument } from './fetch.ts';
import type { Fetch } from './fetch.ts';

/** What jose verifies with. */
type Key = Exclude<Awaited<ReturnType<typeof importJWK>>, Uint8Array>;

export interface PublishedKey {
  readonly key: Key;
  readonly alg: string;
}

export interface Keys {
  /** The key of an id. @throws {VerifierError} unknown_key, keys_unavailable */
  find(kid: string): Promise<PublishedKey>;
  /** The same from memory, when what is there is fresh. */
  known(kid: string): PublishedKey | undefined;
}

export interface KeysOptions {
  readonly fetch: Fetch;
  readonly url: string;
  /** Only keys of these are taken. */
  readonly algorithms: readonly string[];
  readonly cooldownMs: number;
  readonly now: () => number;
}

const DEFAULT_MAX_AGE_S = 300;
const LONGEST_STALE_MS = 3_600_000;
const MAX_KEYS = 64;

/** After a failure, the next try. */
const RETRY_MS = 5_000;

export function createKeys({ fetch, url, algorithms, cooldownMs, now }: KeysOptions): Keys {
  let keys: ReadonlyMap<string, PublishedKey> | undefined;
  let etag: string | null = null;
  let fetchedAt = Number.NEGATIVE_INFINITY;
  let maxAgeMs = 0;
  let triedAt = Number.NEGATIVE_INFINITY;
  let askedAt = Number.NEGATIVE_INFINITY;
  let fetching: Promise<void> | undefined;
  let fault: unknown;

  const load = async (): Promise<void> => {
    triedAt = now();
    try {
      const accept = 'application/jwk-set+json, application/json';
      const found = await fetchDocument(fetch, url, { accept, etag });
      if (found !== null) {
        keys = await importKeys(found.text, algorithms);
        ({ etag } = found);
        maxAgeMs = (found.maxAge ?? DEFAULT_MAX_AGE_S) * 1_000;
      }
      fetchedAt = now();
      fault = undefined;
    } catch (error) {
      fault = error;
    }
  };

  /** One fetch at a time, whoever asks. */
  const refresh = (): Promise<void> =>
    (fetching ??= load().finally(() => {
      fetching = undefined;
    }));

  const age = (): number => Math.abs(now() - fetchedAt);
  const isFresh = (): boolean => age() < maxAgeMs;
  const mayRetry = (): boolean => fault === undefined || Math.abs(now() - triedAt) >= RETRY_MS;

  /** Whether an unknown id is a reason to fetch: once a cool-down, whatever strangers send. */
  const mayAsk = (): boolean => {
    if (Math.abs(now() - askedAt) < cooldownMs) return false;
    askedAt = now();
    return true;
  };

  /** What is known, unless it is too old to be believed. */
  const usable = (): ReadonlyMap<string, PublishedKey> | undefined =>
    age() < LONGEST_STALE_MS ? keys : undefined;

  return {
    known: (kid) => {
      if (isFresh()) return keys?.get(kid);
      // Due: fetched beside the answer, while what is known is not too old.
      if (mayRetry()) void refresh();
      return usable()?.get(kid);
    },
    find: async (kid) => {
      const isDue = (): boolean => (usable() === undefined ? mayRetry() : mayAsk());
      if (usable()?.get(kid) === undefined && (fetching !== undefined || isDue())) await refresh();
      const current = usable();
      if (current === undefined) throw new VerifierError('keys_unavailable', { cause: fault });
      const found = current.get(kid);
      if (found === undefined) throw new VerifierError('unknown_key');
      return found;
    },
  };
}

/** @throws {Error} the document is no JWKS */
async function importKeys(
  text: string,
  algorithms: readonly string[],
): Promise<ReadonlyMap<string, PublishedKey>> {
  const document: unknown = JSON.parse(text);
  const isObject = typeof document === 'object' && document !== null && 'keys' in document;
  if (!isObject || !Array.isArray(document.keys)) throw new Error('no JWKS');
  const list: readonly unknown[] = document.keys;
  const keys = new Map<string, PublishedKey>();
  for (const jwk of list.slice(0, MAX_KEYS)) {
    if (!isUsable(jwk, algorithms)) continue;
    const key = await importJWK(jwk, jwk.alg);
    if (!(key instanceof Uint8Array)) keys.set(jwk.kid, { key, alg: jwk.alg });
  }
  return keys;
}

/** A public key with an id and its one algorithm (RFC 8725 §3.1). */
function isUsable(
  jwk: unknown,
  algorithms: readonly string[],
): jwk is JWK & { readonly kid: string; readonly alg: string } {
  if (typeof jwk !== 'object' || jwk === null) return false;
  if (!('kid' in jwk) || !('alg' in jwk) || !('kty' in jwk)) return false;
  const { kid, alg, kty } = jwk;
  return (
    typeof kid === 'string' && typeof alg === 'string' && kty !== 'oct' && algorithms.includes(alg)
  );
}
