/**
 * One outside provider: verifies its ID tokens with its public keys, which are fetched when needed,
 * kept, and fetched again for an unknown key at most once in a cool-down (R12, I03).
 *
 * @see https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation
 */
import { createLocalJWKSet, errors, jwtVerify } from 'jose';
import type { JSONWebKeySet, JWTPayload, JWTVerifyGetKey } from 'jose';
import type { Clock } from '../../lib/clock.ts';
import { exceptionFields } from '../../lib/log.ts';
import type { Log } from '../../lib/log.ts';
import { readPageUrl } from '../../lib/page-url.ts';
import { Refusal } from '../../refusal.ts';

export interface ProviderOptions {
  readonly name: string;
  readonly issuer: string;
  readonly clientIds: readonly string[];
  readonly algorithms: readonly string[];
  /** Absent: the provider's metadata says where its keys are. */
  readonly jwksUrl: string | undefined;
}

export interface Provider {
  readonly name: string;
  readonly issuer: string;
  /**
   * The claims of an ID token that is for one of our applications. Does not look at its nonce.
   *
   * @throws {Refusal} invalid_credentials; provider_unavailable: its keys can't be had
   */
  verify(idToken: string): Promise<JWTPayload & { readonly sub: string }>;
}

const TIMEOUT_MS = 5_000;
const MAX_DOCUMENT_BYTES = 262_144;
/** An unknown key causes at most one fetch in this time. */
const COOL_DOWN_MS = 30_000;
/** After a failure, nobody waits for the provider for this long. */
const FAILURE_PAUSE_MS = 5_000;
const FRESH_MS = 600_000;
/** While the provider can't be reached, its last keys are used for this long. */
const STALE_MS = 24 * 3_600_000;
/** Tolerated difference of clocks, in seconds. */
const SKEW_SECONDS = 60;
/** An ID token is presented right after it was made. */
const MAX_AGE_SECONDS = 3_600;

const unavailable = (cause: unknown): Refusal =>
  new Refusal('provider_unavailable', { retryAfterSeconds: FAILURE_PAUSE_MS / 1000, cause });

export function createProvider(
  options: ProviderOptions,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Provider {
  const { name, issuer, clientIds, algorithms, jwksUrl } = options;
  let keys: { readonly find: JWTVerifyGetKey; readonly at: number } | undefined;
  let failedAt: number | undefined;
  let pending: Promise<void> | undefined;

  const fetchKeys = async (): Promise<void> => {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    try {
      const url = jwksUrl ?? (await discover(issuer, signal));
      const document = await fetchJson(url, signal);
      if (!isKeySet(document)) throw new Error('the answer is not a set of keys');
      keys = { find: createLocalJWKSet(document), at: clock.monotonic() };
      failedAt = undefined;
    } catch (error) {
      failedAt = clock.monotonic();
      log.write('warn', 'provider.unavailable', 'the keys of an outside provider can not be had', {
        ...exceptionFields(error),
        reason: name,
      });
      throw unavailable(error);
    }
  };

  /** Requests that come meanwhile share one fetch. @throws {Refusal} provider_unavailable */
  const load = (): Promise<void> => {
    const since = failedAt === undefined ? Infinity : clock.monotonic() - failedAt;
    if (since < FAILURE_PAUSE_MS) return Promise.reject(unavailable(undefined));
    pending ??= fetchKeys().finally(() => (pending = undefined));
    return pending;
  };

  const current = async (): Promise<NonNullable<typeof keys>> => {
    const age = keys === undefined ? Infinity : clock.monotonic() - keys.at;
    if (age > FRESH_MS) {
      try {
        await load();
      } catch (error) {
        if (age > STALE_MS) throw error;
      }
    }
    if (keys === undefined) throw unavailable(undefined);
    return keys;
  };

  const findKey: JWTVerifyGetKey = async (header, token) => {
    const known = await current();
    try {
      return await known.find(header, token);
    } catch (error) {
      const isUnknown = error instanceof errors.JWKSNoMatchingKey;
      if (!isUnknown || clock.monotonic() - known.at < COOL_DOWN_MS) throw error;
      await load();
      return (await current()).find(header, token);
    }
  };

  return {
    name,
    issuer,
    verify: async (idToken) => {
      try {
        const { payload, protectedHeader } = await jwtVerify(idToken, findKey, {
          issuer,
          audience: [...clientIds],
          algorithms: [...algorithms],
          requiredClaims: ['sub', 'exp', 'iat'],
          clockTolerance: SKEW_SECONDS,
          maxTokenAge: MAX_AGE_SECONDS,
          currentDate: new Date(clock.now()),
        });
        const { typ } = protectedHeader;
        if (typ !== undefined && typ.toUpperCase() !== 'JWT') throw new Error('not an ID token');
        return withSubject(payload, clientIds);
      } catch (error) {
        if (error instanceof Refusal) throw error;
        throw new Refusal('invalid_credentials', { detail: NOT_ACCEPTED, cause: error });
      }
    },
  };
}

export const NOT_ACCEPTED = 'The ID token was not accepted. Start the sign-in again.';

/**
 * Every audience must be one of ours, and the party that the token was issued to as well (§3.1.3.7,
 * rules 3 to 5).
 */
function withSubject(
  payload: JWTPayload,
  clientIds: readonly string[],
): JWTPayload & { readonly sub: string } {
  const { sub, aud, azp } = payload;
  const audiences = typeof aud === 'string' ? [aud] : (aud ?? []);
  const isOurs = (id: unknown) => typeof id === 'string' && clientIds.includes(id);
  if (!audiences.every(isOurs)) throw new Error('also for another audience');
  if (azp !== undefined && !isOurs(azp)) throw new Error('issued to another party');
  if (audiences.length > 1 && azp === undefined) throw new Error('several audiences without azp');
  if (typeof sub !== 'string' || sub.length === 0 || sub.length > 255)
    throw new Error('no usable subject');
  return { ...payload, sub };
}

/** Whether an answer has the shape of a JWK Set (RFC 7517 §5); jose checks each key that it uses. */
function isKeySet(value: unknown): value is JSONWebKeySet {
  if (typeof value !== 'object' || value === null || !('keys' in value)) return false;
  const { keys } = value;
  return Array.isArray(keys) && keys.every((key) => typeof key === 'object' && key !== null);
}

/** Where a provider's keys are (OpenID Connect Discovery §4). */
async function discover(issuer: string, signal: AbortSignal): Promise<string> {
  const metadata = await fetchJson(
    `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`,
    signal,
  );
  const { issuer: named, jwks_uri: url } = Object(metadata);
  if (named !== issuer) throw new Error('the metadata is of another issuer');
  if (typeof url !== 'string' || !('value' in readPageUrl(url)))
    throw new Error('the metadata has no usable jwks_uri');
  return url;
}

/** Follows no redirect, and reads no more than a key set could need. */
async function fetchJson(url: string, signal: AbortSignal): Promise<unknown> {
  const headers = { accept: 'application/json', 'user-agent': 'postern' };
  const response = await fetch(url, { redirect: 'error', signal, headers });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`${new URL(url).host} answered ${response.status}`);
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > MAX_DOCUMENT_BYTES) throw new Error(`${new URL(url).host} answered too much`);
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString('utf8'));
}
