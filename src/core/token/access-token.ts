/**
 * Access tokens: the RFC 9068 profile, signed by the active key of the ring, verified by siblings
 * from the JWKS and by this service from memory. The form check of `crypto/jws` comes first, then
 * type and signature, then every claim (R1–R3).
 *
 * @see https://www.rfc-editor.org/rfc/rfc9068
 * @see https://www.rfc-editor.org/rfc/rfc8725
 */
import { LRUCache } from 'lru-cache';
import { JwsError, signJws, verifyJws } from '../../crypto/jws.ts';
import type { JwsKey } from '../../crypto/jws.ts';
import type { Clock } from '../../lib/clock.ts';
import { acrOf, amrOf } from '../factor/presented.ts';
import type { Acr, PresentedFactor } from '../factor/presented.ts';
import { isRegisteredClaim } from './registered-claims.ts';
import { ACCESS_TOKEN_TYPE } from './token-type.ts';

export interface AccessClaims {
  readonly iss: string;
  readonly sub: string;
  readonly aud: string;
  readonly exp: number;
  readonly nbf: number;
  readonly iat: number;
  readonly jti: string;
  readonly sid: string;
  readonly client_id: string;
  readonly auth_time: number;
  readonly amr: readonly string[];
  readonly acr: Acr;
  readonly preferred_username?: string;
  readonly email?: string;
  readonly [claim: string]: unknown;
}

export interface AccessTokenInput {
  readonly userId: string;
  readonly sessionId: string;
  readonly authTime: number;
  /**
   * The absolute end of the session, wall-clock milliseconds: no token of it outlives it (ASVS
   * 7.3.2).
   */
  readonly sessionEndsAt: number;
  /** The factors that the session rests on: `amr` and `acr` are derived from them here. */
  readonly factors: readonly PresentedFactor[];
  /** Profile claims chosen by the configuration; absent ones are left out. */
  readonly profile: Readonly<Record<string, unknown>>;
  /** The administrator's claims. */
  readonly claims: Readonly<Record<string, unknown>>;
}

/**
 * Why a token is refused; POST /verify tells its caller, the bearer endpoints answer alike for all.
 */
export type TokenFault = 'invalid_token' | 'token_expired' | 'session_revoked';

export class TokenRefused extends Error {
  override readonly name = 'TokenRefused';
  readonly fault: TokenFault;
  constructor(fault: TokenFault, options?: ErrorOptions) {
    super(fault, options);
    this.fault = fault;
  }
}

/** What access tokens need of the key ring. */
export interface AccessKeys {
  signingKey(): JwsKey;
  verificationKey(kid: string): JwsKey | undefined;
}

export interface AccessTokenOptions {
  readonly issuer: string;
  readonly audience: string;
  readonly ttlMs: number;
  readonly cacheEntries: number;
  readonly keys: AccessKeys;
  readonly clock: Clock;
  readonly newId: () => string;
  readonly isRevoked: (sessionId: string) => boolean;
  readonly onVerified?: (cache: 'hit' | 'miss') => void;
}

export interface AccessTokens {
  readonly ttlSeconds: number;
  mint(input: AccessTokenInput): string;
  /** @throws {TokenRefused} */
  verify(token: string): AccessClaims;
}

/** A token whose signature and claims were good, and the key that said so. */
interface Verified {
  readonly token: string;
  readonly claims: AccessClaims;
  readonly key: JwsKey;
}

/**
 * Characters of the signature that find a verified token: 192 bits, which no two signatures share
 * by chance.
 */
const MARK_LENGTH = 32;

/**
 * Seconds by which another machine's clock may be ahead of ours without its fresh token being
 * refused.
 */
const SKEW_SECONDS = 5;

export function createAccessTokens(options: AccessTokenOptions): AccessTokens {
  const { issuer, audience, keys, clock, newId } = options;
  const ttlSeconds = Math.floor(options.ttlMs / 1000);
  // Found by the end of the signature, believed only when the whole text is the one that was
  // verified: a token that differs in one character misses. A hit still asks for expiry, for the
  // key (it may have been withdrawn) and for revocation.
  const verified =
    options.cacheEntries > 0
      ? new LRUCache<string, Verified>({ max: options.cacheEntries })
      : undefined;

  const demandCurrent = (claims: AccessClaims): AccessClaims => {
    const now = Math.floor(clock.now() / 1000);
    if (claims.exp <= now) throw new TokenRefused('token_expired');
    if (claims.iat > now + SKEW_SECONDS || claims.nbf > now + SKEW_SECONDS)
      throw new TokenRefused('invalid_token');
    if (options.isRevoked(claims.sid)) throw new TokenRefused('session_revoked');
    return claims;
  };

  return {
    ttlSeconds,
    mint(input) {
      const now = Math.floor(clock.now() / 1000);
      const extra: Record<string, unknown> = {};
      for (const [name, value] of Object.entries(input.claims))
        if (!isRegisteredClaim(name)) extra[name] = value;
      return signJws(keys.signingKey(), ACCESS_TOKEN_TYPE, {
        iss: issuer,
        sub: input.userId,
        aud: audience,
        client_id: audience,
        iat: now,
        nbf: now,
        exp: Math.max(now + 1, Math.min(now + ttlSeconds, Math.floor(input.sessionEndsAt / 1000))),
        jti: newId(),
        sid: input.sessionId,
        auth_time: Math.floor(input.authTime / 1000),
        amr: amrOf(input.factors),
        acr: acrOf(input.factors),
        ...input.profile,
        ...extra,
      });
    },
    verify(token) {
      const mark = token.slice(-MARK_LENGTH);
      const seen = verified?.get(mark);
      if (
        seen !== undefined &&
        seen.token === token &&
        keys.verificationKey(seen.key.kid) === seen.key
      ) {
        options.onVerified?.('hit');
        return demandCurrent(seen.claims);
      }
      options.onVerified?.('miss');
      let used: JwsKey | undefined;
      let payload: Record<string, unknown>;
      try {
        payload = verifyJws(token, ACCESS_TOKEN_TYPE, (kid) => (used = keys.verificationKey(kid)));
      } catch (error) {
        if (error instanceof JwsError) throw new TokenRefused('invalid_token', { cause: error });
        throw error;
      }
      if (!isAccessClaims(payload, issuer, audience, ttlSeconds) || used === undefined)
        throw new TokenRefused('invalid_token');
      const claims = demandCurrent(payload);
      verified?.set(mark, { token, claims, key: used });
      return claims;
    },
  };
}

/**
 * R3: every claim that we write is demanded, with its type, and the lifetime is no longer than
 * ours.
 */
function isAccessClaims(
  payload: Record<string, unknown>,
  issuer: string,
  audience: string,
  maxTtlSeconds: number,
): payload is AccessClaims & Record<string, unknown> {
  const { iss, sub, aud, exp, nbf, iat, jti, sid, auth_time, amr, acr, client_id } = payload;
  return (
    iss === issuer &&
    aud === audience &&
    client_id === audience &&
    isText(sub) &&
    isText(jti) &&
    isText(sid) &&
    isSeconds(exp) &&
    isSeconds(nbf) &&
    isSeconds(iat) &&
    isSeconds(auth_time) &&
    exp > iat &&
    exp - iat <= Math.max(maxTtlSeconds, MAX_TTL_SECONDS) &&
    Array.isArray(amr) &&
    amr.every(isText) &&
    (acr === 'aal1' || acr === 'aal2')
  );
}

/**
 * The longest lifetime that the configuration ever allows (R3), so that shortening it doesn't
 * refuse living tokens.
 */
const MAX_TTL_SECONDS = 900;

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0;
}

function isSeconds(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
