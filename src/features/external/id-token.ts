/**
 * Verifies the ID tokens of one provider with its public keys (R12, I01, I03).
 *
 * @see https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation
 */
import { createLocalJWKSet, decodeJwt, errors, jwtVerify } from 'jose';
import type { JSONWebKeySet, JWTPayload, JWTVerifyGetKey } from 'jose';
import { Refusal } from '../../refusal.ts';
import { createKept } from './kept.ts';
import type { Kept, KeptDeps } from './kept.ts';
import type { Metadata } from './metadata.ts';
import { fetchJson, TIMEOUT_MS } from './outbound.ts';
import type { ProviderOptions } from './options.ts';

/** What a provider says of a user. */
export interface ProviderClaims {
  readonly [claim: string]: unknown;
  readonly iss: string;
  readonly sub: string;
}

export interface IdTokens {
  /**
   * The claims of an ID token that is for one of our applications. Does not look at its nonce.
   *
   * @throws {Refusal} invalid_credentials; provider_unavailable: its keys can't be had
   */
  verify(idToken: string): Promise<ProviderClaims>;
}

/** An unknown key causes at most one fetch in this time. */
const COOL_DOWN_MS = 30_000;
/** Tolerated difference of clocks, in seconds. */
const SKEW_SECONDS = 60;
/** An ID token is presented right after it was made. */
const MAX_AGE_SECONDS = 3_600;

const NOT_ACCEPTED = 'The sign-in at the provider was not accepted. Start it again.';

/** @param cause never with a token, a code or a secret: it is logged */
export const notAccepted = (cause: unknown): Refusal =>
  new Refusal('invalid_credentials', { detail: NOT_ACCEPTED, cause });

export function createIdTokens(
  options: ProviderOptions,
  deps: KeptDeps,
  metadata: Kept<Metadata>,
): IdTokens {
  const { clientIds, algorithms, issuers } = options;
  const { clock } = deps;
  const keys = createKept(deps, async () => {
    const url = options.jwksUrl ?? (await metadata.get()).value.jwksUrl;
    if (url === undefined) throw new Error('the metadata has no usable jwks_uri');
    const document = await fetchJson(url, AbortSignal.timeout(TIMEOUT_MS));
    if (!isKeySet(document)) throw new Error('the answer is not a set of keys');
    return keysByIssuer(document, options);
  });

  const keyFor =
    (issuer: string): JWTVerifyGetKey =>
    async (header, token) => {
      const known = await keys.get();
      try {
        return await known.value(issuer)(header, token);
      } catch (error) {
        const isUnknown = error instanceof errors.JWKSNoMatchingKey;
        if (!isUnknown || clock.monotonic() - known.at < COOL_DOWN_MS) throw error;
        await keys.renew();
        return (await keys.get()).value(issuer)(header, token);
      }
    };

  return {
    verify: async (idToken) => {
      try {
        const issuer = issuers.find((one) => one === decodeJwt(idToken).iss);
        if (issuer === undefined) throw new Error('of another issuer');
        const { payload, protectedHeader } = await jwtVerify(idToken, keyFor(issuer), {
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
        return { ...payload, iss: issuer, sub: subjectIn(payload, clientIds) };
      } catch (error) {
        throw error instanceof Refusal ? error : notAccepted(error);
      }
    },
  };
}

/**
 * Every audience must be one of ours, and the party that the token was issued to as well (§3.1.3.7,
 * rules 3 to 5).
 */
function subjectIn({ sub, aud, azp }: JWTPayload, clientIds: readonly string[]): string {
  const audiences = typeof aud === 'string' ? [aud] : (aud ?? []);
  const isOurs = (id: unknown) => typeof id === 'string' && clientIds.includes(id);
  if (!audiences.every(isOurs)) throw new Error('also for another audience');
  if (azp !== undefined && !isOurs(azp)) throw new Error('issued to another party');
  if (audiences.length > 1 && azp === undefined) throw new Error('several audiences without azp');
  if (typeof sub !== 'string' || sub.length === 0 || sub.length > 255)
    throw new Error('no usable subject');
  return sub;
}

/** Whether an answer has the shape of a JWK Set (RFC 7517 §5); jose checks each key that it uses. */
function isKeySet(value: unknown): value is JSONWebKeySet {
  if (typeof value !== 'object' || value === null || !('keys' in value)) return false;
  const { keys } = value;
  return Array.isArray(keys) && keys.every((key) => typeof key === 'object' && key !== null);
}

/**
 * The keys of each issuer. Those of many tenants stand in one set, and a key that names its issuer
 * signs for that one alone: else the key of one tenant would be good for every other.
 *
 * @see https://learn.microsoft.com/entra/identity-platform/access-tokens#validate-the-issuer
 */
function keysByIssuer(
  { keys }: JSONWebKeySet,
  { issuer: template, issuers }: ProviderOptions,
): (issuer: string) => JWTVerifyGetKey {
  const isShared = template.includes('{tenantid}');
  const sets = new Map(
    issuers.map((issuer) => {
      const own = keys.filter((key) => {
        const named = 'issuer' in key ? key.issuer : undefined;
        return !isShared || named === undefined || named === template || named === issuer;
      });
      return [issuer, createLocalJWKSet({ keys: own })];
    }),
  );
  return (issuer) => {
    const set = sets.get(issuer);
    if (set === undefined) throw new Error('no such issuer');
    return set;
  };
}
