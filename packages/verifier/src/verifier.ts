/**
 * Verification of access tokens without asking the issuer: signature, type, issuer, audience, times
 * and claims, and the session's bit in the issuer's status list.
 */
import { decodeProtectedHeader, errors, jwtVerify } from 'jose';
import type { JWTVerifyOptions } from 'jose';
import { isTokenClaims, isUserClaims } from './claims.ts';
import type { TokenClaims, UserClaims } from './claims.ts';
import { VerifierError } from './error.ts';
import type { VerifierErrorCode } from './error.ts';
import type { Fetch } from './fetch.ts';
import { createKeys } from './keys.ts';
import type { PublishedKey } from './keys.ts';
import { createStatusLists } from './status.ts';
import type { TokenStatus } from './status.ts';

export interface VerifierOptions {
  /** The issuer as its tokens name it: server.public_url. */
  readonly issuer: string;
  /** Who this service is: tokens.audience, or its own `[audiences."…"]`. */
  readonly audience: string;
  /** Default: the issuer's `/.well-known/jwks.json`. */
  readonly jwksUri?: string;
  /** Default: every asymmetric algorithm that the issuer can have. */
  readonly algorithms?: readonly string[];
  /** Seconds by which clocks may differ. Default 60. */
  readonly leewaySeconds?: number;
  /** `required` refuses tokens that name no status list. Default `when-named`. */
  readonly status?: 'when-named' | 'required' | 'ignored';
  /**
   * What to do when the status list can't be fetched and the one that is known is past its `exp`:
   * accept the token until its own `exp` (15 minutes at most), or refuse it. Default
   * `accept-until-exp`.
   */
  readonly unavailable?: 'accept-until-exp' | 'refuse';
  /** `on-demand` sets no timer, for runtimes that don't live between requests. */
  readonly poll?: 'in-background' | 'on-demand';
  /** Milliseconds between two fetches of the keys that unknown key ids cause. Default 30,000. */
  readonly cooldownMs?: number;
  /** How many verified tokens are kept. Default 10,000; 0 keeps none. */
  readonly cachedTokens?: number;
  readonly fetch?: Fetch;
  /** Wall-clock milliseconds. */
  readonly now?: () => number;
}

export interface Verifier {
  /** A user's token. @throws {VerifierError} */
  verify(token: string): Promise<UserClaims>;
  /** A user's token, or a service's own (client_credentials). @throws {VerifierError} */
  verifyAny(token: string): Promise<TokenClaims>;
  /** Stops polling. */
  close(): void;
}

const ALGORITHMS: readonly string[] = [
  'ES256',
  'EdDSA',
  'Ed25519',
  'ES384',
  'ES512',
  'RS256',
  'PS256',
];
const DEFAULT_LEEWAY_S = 60;
const DEFAULT_COOLDOWN_MS = 30_000;
const DEFAULT_CACHED = 10_000;
const MAX_TOKEN_LENGTH = 6_144;

/** Compact, and in the one spelling of its bytes: no spare bits in a last character. */
const SEGMENT = '(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-][AQgw]|[A-Za-z0-9_-]{2}[AEIMQUYcgkosw048])?';
const FORM = new RegExp(`^(?=[^.]+\\.[^.]+\\.[^.]+$)${SEGMENT}\\.${SEGMENT}\\.${SEGMENT}$`);

interface Seen {
  readonly claims: TokenClaims;
  readonly kid: string;
  readonly key: PublishedKey;
}

export function createVerifier(options: VerifierOptions): Verifier {
  const { issuer, audience, status = 'when-named' } = options;
  const {
    jwksUri = `${issuer}/.well-known/jwks.json`,
    algorithms = ALGORITHMS,
    leewaySeconds = DEFAULT_LEEWAY_S,
    unavailable = 'accept-until-exp',
    poll = 'in-background',
    cooldownMs = DEFAULT_COOLDOWN_MS,
    cachedTokens = DEFAULT_CACHED,
    fetch = globalThis.fetch,
    now = Date.now,
  } = options;
  const keys = createKeys({ fetch, url: jwksUri, algorithms, cooldownMs, now });
  const lists = createStatusLists({ fetch, keys, issuer, leewaySeconds, now, unavailable, poll });
  const seen = new Map<string, Seen>();

  const demandCurrent = ({ exp, nbf, iat }: TokenClaims): void => {
    const seconds = now() / 1_000;
    if (exp + leewaySeconds <= seconds) throw new VerifierError('expired');
    if (Math.max(nbf, iat) - leewaySeconds > seconds) throw new VerifierError('not_yet_valid');
  };

  const check = async (token: string): Promise<Seen> => {
    if (typeof token !== 'string' || token.length > MAX_TOKEN_LENGTH || !FORM.test(token))
      throw new VerifierError('malformed');
    const { kid, alg } = headerOf(token);
    const key = keys.known(kid) ?? (await keys.find(kid));
    if (key.alg !== alg) throw new VerifierError('unknown_key');
    const claims = await verifySignature(token, key, {
      issuer,
      audience,
      typ: 'at+jwt',
      algorithms: [alg],
      clockTolerance: leewaySeconds,
      currentDate: new Date(now()),
    });
    demandCurrent(claims);
    return { claims, kid, key };
  };

  const remember = (token: string, one: Seen): void => {
    if (cachedTokens <= 0) return;
    const [oldest] = seen.size >= cachedTokens ? seen.keys() : [];
    if (oldest !== undefined) seen.delete(oldest);
    seen.set(token, one);
  };

  /** The claims of a token that was verified before, if its key is still published. */
  const recall = (token: string): TokenClaims | undefined => {
    const one = seen.get(token);
    if (one === undefined) return undefined;
    if (keys.known(one.kid) !== one.key) {
      seen.delete(token);
      return undefined;
    }
    try {
      demandCurrent(one.claims);
    } catch (error) {
      seen.delete(token);
      throw error;
    }
    return one.claims;
  };

  const demandStatus = (found: TokenStatus): void => {
    if (found === 'revoked') throw new VerifierError('revoked');
    if (found === 'unavailable' && unavailable === 'refuse')
      throw new VerifierError('status_unavailable');
  };

  /** Synchronous while the list is at hand, so that a seen token costs no wait. */
  const checkStatus = (claims: TokenClaims): Promise<void> | undefined => {
    if (status === 'ignored') return undefined;
    const place = placeOf(claims, issuer);
    if (place === undefined) {
      if (status === 'required' && claims['sid'] !== undefined)
        throw new VerifierError('status_unavailable');
      return undefined;
    }
    const known = lists.known(place.uri, place.idx);
    if (known === undefined) return lists.find(place.uri, place.idx).then(demandStatus);
    demandStatus(known);
    return undefined;
  };

  const verifyAny = async (token: string): Promise<TokenClaims> => {
    let claims = recall(token);
    if (claims === undefined) {
      const one = await check(token);
      ({ claims } = one);
      remember(token, one);
    }
    await checkStatus(claims);
    return claims;
  };

  return {
    verifyAny,
    verify: async (token) => {
      const claims = await verifyAny(token);
      if (!isUserClaims(claims)) throw new VerifierError('service_token');
      return claims;
    },
    close: () => lists.close(),
  };
}

function headerOf(token: string): { kid: string; alg: string } {
  try {
    const { kid, alg } = decodeProtectedHeader(token);
    if (typeof kid === 'string' && typeof alg === 'string') return { kid, alg };
  } catch (cause) {
    throw new VerifierError('malformed', { cause });
  }
  throw new VerifierError('malformed');
}

async function verifySignature(
  token: string,
  { key }: PublishedKey,
  options: JWTVerifyOptions,
): Promise<TokenClaims> {
  try {
    const { payload } = await jwtVerify(token, key, options);
    const claims: Readonly<Record<string, unknown>> = payload;
    if (isTokenClaims(claims)) return claims;
  } catch (cause) {
    throw new VerifierError(codeOf(cause), { cause });
  }
  throw new VerifierError('invalid_claims');
}

const CLAIM_CODES: Readonly<Record<string, VerifierErrorCode>> = {
  typ: 'wrong_type',
  iss: 'wrong_issuer',
  aud: 'wrong_audience',
  nbf: 'not_yet_valid',
};

function codeOf(error: unknown): VerifierErrorCode {
  if (error instanceof errors.JWTExpired) return 'expired';
  if (error instanceof errors.JWTClaimValidationFailed)
    return CLAIM_CODES[error.claim] ?? 'invalid_claims';
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'bad_signature';
  return 'malformed';
}

/** Where a token's bit is: a list of its own issuer, and of nobody else. */
function placeOf(claims: TokenClaims, issuer: string): { idx: number; uri: string } | undefined {
  const status = claims['status'];
  if (typeof status !== 'object' || status === null || !('status_list' in status)) return undefined;
  const list = status.status_list;
  if (typeof list !== 'object' || list === null || !('idx' in list) || !('uri' in list))
    return undefined;
  const { idx, uri } = list;
  const isOurs =
    typeof idx === 'number' &&
    Number.isSafeInteger(idx) &&
    idx >= 0 &&
    typeof uri === 'string' &&
    uri.startsWith(`${issuer}/`);
  if (!isOurs) throw new VerifierError('invalid_claims');
  return { idx, uri };
}
