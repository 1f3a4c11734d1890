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
import type { PresentedFactor } from '../factor/presented.ts';
import { isTokenClaims, isUserClaims } from './access-claims.ts';
import type { AccessClaims, TokenClaims } from './access-claims.ts';
import type { Audiences } from './audience.ts';
import { ACCESS_TOKEN_TYPE } from './token-type.ts';

/** What is minted; the rest (issuer, times, id) is the same for all. */
export interface AccessTokenInput {
  readonly aud: string;
  readonly sub: string;
  readonly clientId: string;
  readonly ttlMs: number;
  /** No token outlives it (ASVS 7.3.2); wall-clock milliseconds. */
  readonly notAfter: number;
  /** All other claims. */
  readonly claims: Readonly<Record<string, unknown>>;
}

/** What tells of a session in its tokens. */
export interface SessionClaimsInput {
  readonly sessionId: string;
  readonly authTime: number;
  /** The factors that the session rests on: `amr` and `acr` are derived from them here. */
  readonly factors: readonly PresentedFactor[];
}

export function sessionClaims({ sessionId, authTime, factors }: SessionClaimsInput) {
  return {
    sid: sessionId,
    auth_time: Math.floor(authTime / 1000),
    amr: amrOf(factors),
    acr: acrOf(factors),
  };
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

/** Told whether the signature of a token was remembered. */
type Looked = (cache: 'hit' | 'miss') => void;

export interface AccessTokens {
  mint(input: AccessTokenInput): MintedToken;
  /**
   * A user's token for this service's own audience.
   *
   * @param looked told whether the signature was remembered
   * @throws {TokenRefused}
   */
  verify(token: string, looked?: Looked): AccessClaims;
  /**
   * A token of any audience, a user's or a service's: for those who ask what it is.
   *
   * @throws {TokenRefused}
   */
  inspect(token: string): TokenClaims;
}

/** A token whose signature and claims were good, and the key that said so. */
interface Verified {
  readonly token: string;
  readonly claims: TokenClaims;
  /** The same claims when the token opens this service; null when it is for others. */
  readonly own: AccessClaims | null;
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
  const { issuer, audiences, keys, clock, newId } = options;
  const ownName = audiences.own.name;
  const isAudience = (name: string): boolean => name === ownName || audiences.has(name);
  // Found by the end of the signature, believed only when the whole text is the one that was
  // verified: a token that differs in one character misses. A hit still asks for expiry, for the
  // key (it may have been withdrawn) and for revocation.
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

  /** Only what is good now is kept, so that a flood of old tokens can't push out living ones. */
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
