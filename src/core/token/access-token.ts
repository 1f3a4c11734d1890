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
import type { Acr } from '../factor/presented.ts';
import type { PresentedFactor } from '../factor/presented.ts';
import { isTokenClaims, isUserClaims } from './access-claims.ts';
import type { AccessClaims, TokenClaims } from './access-claims.ts';
import type { Audiences } from './audience.ts';
import { ACCESS_TOKEN_TYPE } from './token-type.ts';
import { SKEW_SECONDS } from './validity.ts';

/** The claims to mint; the rest (issuer, times, id) is added to every token. */
export interface AccessTokenInput {
  readonly aud: string;
  readonly sub: string;
  readonly clientId: string;
  readonly ttlMs: number;
  /** No token is valid after this (ASVS 7.3.2); wall-clock milliseconds. */
  readonly notAfter: number;
  /** All other claims. */
  readonly claims: Readonly<Record<string, unknown>>;
}

/** The session claims of a token. */
export interface SessionClaimsInput {
  readonly sessionId: string;
  readonly authTime: number;
  /** The factors of the session: `amr` and `acr` are derived from them here. */
  readonly factors: readonly PresentedFactor[];
  /** Of the user: nobody has signed in to an anonymous account. */
  readonly anonymousAt: number | null;
}

export function sessionClaims(input: SessionClaimsInput) {
  const { sessionId, authTime, factors, anonymousAt } = input;
  const acr: Acr = anonymousAt === null ? acrOf(factors) : 'aal0';
  return {
    sid: sessionId,
    auth_time: Math.floor(authTime / 1000),
    amr: amrOf(factors),
    acr,
  };
}

/**
 * Why a token is refused; POST /verify reports it, the bearer endpoints give one answer for all.
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

/** What access tokens need from the key ring. */
export interface AccessKeys {
  signingKey(): JwsKey;
  verificationKey(kid: string): JwsKey | undefined;
}

export interface AccessTokenOptions {
  readonly issuer: string;
  readonly audiences: Audiences;
  readonly cacheEntries: number;
  readonly keys: AccessKeys;
  readonly clock: Clock;
  readonly newId: () => string;
  readonly isRevoked: (sessionId: string) => boolean;
}

export interface MintedToken {
  readonly token: string;
  readonly expiresInSeconds: number;
}

/** Called with whether the signature was in the cache. */
type Looked = (cache: 'hit' | 'miss') => void;

export interface AccessTokens {
  mint(input: AccessTokenInput): MintedToken;
  /**
   * Verifies a user's token for this service's own audience.
   *
   * @param looked called with whether the signature was in the cache
   * @throws {TokenRefused}
   */
  verify(token: string, looked?: Looked): AccessClaims;
  /**
   * Verifies a token of any audience, a user's or a service's, for introspection.
   *
   * @throws {TokenRefused}
   */
  inspect(token: string): TokenClaims;
}

/** A token with a valid signature and claims, and the key that verified it. */
interface Verified {
  readonly token: string;
  readonly claims: TokenClaims;
  /** The same claims if the token is for this service; null when it is for another audience. */
  readonly own: AccessClaims | null;
  readonly key: JwsKey;
}

/**
 * Number of signature characters that identify a cached token: 192 bits, which never collide by
 * chance.
 */
const MARK_LENGTH = 32;

export function createAccessTokens(options: AccessTokenOptions): AccessTokens {
  const { issuer, audiences, keys, clock, newId } = options;
  const ownName = audiences.own.name;
  const isAudience = (name: string): boolean => name === ownName || audiences.has(name);
  // Found by the end of the signature, and used only if the whole token is equal to the verified
  // one: a token that differs in one character misses. A hit still checks expiry, the key (it may
  // have been withdrawn) and revocation.
  const verified =
    options.cacheEntries > 0
      ? new LRUCache<string, Verified>({ max: options.cacheEntries })
      : undefined;

  const demandCurrent = ({ exp, iat, nbf, sid }: TokenClaims): void => {
    const now = Math.floor(clock.now() / 1000);
    if (exp <= now) throw new TokenRefused('token_expired');
    if (iat > now + SKEW_SECONDS || nbf > now + SKEW_SECONDS)
      throw new TokenRefused('invalid_token');
    if (typeof sid === 'string' && options.isRevoked(sid))
      throw new TokenRefused('session_revoked');
  };

  /** @throws {TokenRefused} */
  const check = (token: string): Verified => {
    let used: JwsKey | undefined;
    let payload: Record<string, unknown>;
    try {
      payload = verifyJws(token, ACCESS_TOKEN_TYPE, (kid) => {
        used = keys.verificationKey(kid);
        return used;
      });
    } catch (error) {
      if (error instanceof JwsError) throw new TokenRefused('invalid_token', { cause: error });
      throw error;
    }
    if (!isTokenClaims(payload, issuer, isAudience) || used === undefined)
      throw new TokenRefused('invalid_token');
    const isOwn = payload.aud === ownName && payload.client_id === ownName;
    const own = isOwn && isUserClaims(payload) ? payload : null;
    return { token, claims: payload, own, key: used };
  };

  const open = (token: string, looked?: Looked): Verified => {
    const mark = token.slice(-MARK_LENGTH);
    const seen = verified?.get(mark);
    const isSeen = seen?.token === token && keys.verificationKey(seen.key.kid) === seen.key;
    if (seen !== undefined && isSeen) {
      looked?.('hit');
      return seen;
    }
    looked?.('miss');
    const one = check(token);
    if (isRemembered(one)) verified?.set(mark, one);
    return one;
  };

  /** Only valid tokens are cached, so that a flood of old ones can't evict live ones. */
  const isRemembered = ({ claims }: Verified): boolean =>
    claims.exp > Math.floor(clock.now() / 1000);

  return {
    mint({ aud, sub, clientId, ttlMs, notAfter, claims }) {
      const now = Math.floor(clock.now() / 1000);
      const end = Math.min(now + Math.floor(ttlMs / 1000), Math.floor(notAfter / 1000));
      const exp = Math.max(now + 1, end);
      const token = signJws(keys.signingKey(), ACCESS_TOKEN_TYPE, {
        iss: issuer,
        sub,
        aud,
        client_id: clientId,
        iat: now,
        nbf: now,
        exp,
        jti: newId(),
        ...claims,
      });
      return { token, expiresInSeconds: exp - now };
    },
    verify(token, looked) {
      const { own } = open(token, looked);
      if (own === null) throw new TokenRefused('invalid_token');
      demandCurrent(own);
      return own;
    },
    inspect(token) {
      const { claims } = open(token);
      demandCurrent(claims);
      return claims;
    },
  };
}
