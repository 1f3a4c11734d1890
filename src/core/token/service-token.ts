/**
 * Tokens that services get for themselves, and for users whose token they have (RFC 8693). Nothing
 * is written: the API key, the audience and the presented token decide what is allowed. An exchange
 * only narrows: never more scopes, more claims or a longer life than the previous token, and the
 * same session and status bit, so that a sign-out ends all of them.
 */
import { Refusal, invalidRequest } from '../../refusal.ts';
import type { InputFault } from '../../refusal.ts';
import type { ApiKey } from '../api-key/api-key.ts';
import type { ApiKeys } from '../api-key/api-keys.ts';
import { isUserClaims } from './access-claims.ts';
import type { AccessClaims, TokenClaims } from './access-claims.ts';
import { TokenRefused } from './access-token.ts';
import type { AccessTokens, MintedToken } from './access-token.ts';
import { actorIds } from './actor.ts';
import type { Actor } from './actor.ts';
import { claimsFor, operatorClaims } from './audience.ts';
import type { Audience, Audiences } from './audience.ts';

/** A token, and the scopes that it has. */
export interface ServiceToken extends MintedToken {
  readonly scope: string;
}

export interface ServiceTokenRequest {
  /** Undefined: the only audience of the key. */
  readonly resource: string | undefined;
  /** Undefined: all that are allowed. */
  readonly scope: string | undefined;
}

export interface ServiceTokens {
  /**
   * A token in the name of the key itself (client_credentials).
   *
   * @throws {Refusal} unauthorized_client, invalid_target, invalid_scope
   */
  forKey(key: ApiKey, request: ServiceTokenRequest): ServiceToken;
  /**
   * A narrower token in the name of a user whose token the service has.
   *
   * @throws {Refusal} unauthorized_client, invalid_target, invalid_scope; invalid_request: the
   *   presented token can't be exchanged
   */
  exchange(key: ApiKey, subjectToken: string, request: ServiceTokenRequest): Promise<ServiceToken>;
}

export interface ServiceTokenDeps {
  readonly accessTokens: Pick<AccessTokens, 'mint' | 'inspect'>;
  readonly audiences: Audiences;
  /** The API keys of earlier actors must still be valid. */
  readonly apiKeys: Pick<ApiKeys, 'find'>;
}

/** An exchanged token is meant for the calls of one request. */
const LONGEST_EXCHANGED_MS = 5 * 60_000;

/** Maximum number of services that act in a chain. */
const MAX_ACTORS = 2;

const ALWAYS_KEPT = ['sid', 'auth_time', 'amr', 'acr', 'status'] as const;

export function createServiceTokens(deps: ServiceTokenDeps): ServiceTokens {
  const { accessTokens, audiences, apiKeys } = deps;
  return {
    forKey: (key, { resource, scope }) => {
      if (key.audiences.length === 0) throw new Refusal('unauthorized_client');
      const audience = targetOf(audiences, key.audiences, resource);
      const granted = scopesOf(audience.scopes, scope);
      const minted = accessTokens.mint({
        aud: audience.name,
        sub: key.id,
        clientId: key.id,
        ttlMs: audience.ttlMs,
        notAfter: endOf(key),
        claims: { ...withScope(granted), ...operatorClaims(key.claims) },
      });
      return { scope: granted, ...minted };
    },

    exchange: async (key, subjectToken, { resource, scope }) => {
      if (key.mayExchangeTo.length === 0) throw new Refusal('unauthorized_client');
      const audience = targetOf(audiences, key.mayExchangeTo, resource);
      const subject = subjectOf(accessTokens, subjectToken);
      const allowed = scopesWithin(audience, subject, audiences.own.name);
      const granted = scopesOf(allowed, scope);
      const act = actorOf(key, subject['act']);
      await demandLiveActors(apiKeys, subject['act']);
      const kept = ALWAYS_KEPT.filter((name) => subject[name] !== undefined);
      const minted = accessTokens.mint({
        aud: audience.name,
        sub: subject.sub,
        clientId: key.id,
        ttlMs: Math.min(audience.ttlMs, LONGEST_EXCHANGED_MS),
        notAfter: Math.min(subject.exp * 1000, endOf(key)),
        claims: {
          act,
          ...Object.fromEntries(kept.map((name) => [name, subject[name]])),
          ...withScope(granted),
          ...claimsFor(audience, carriedClaims(subject)),
        },
      });
      return { scope: granted, ...minted };
    },
  };
}

/** When a key ends, wall-clock milliseconds: none of its tokens lives longer. */
function endOf({ expiresAt }: ApiKey): number {
  return expiresAt ?? Number.MAX_SAFE_INTEGER;
}

/** @throws {Refusal} invalid_target */
function targetOf(
  audiences: Audiences,
  allowed: readonly string[],
  resource: string | undefined,
): Audience {
  const [only] = allowed;
  const name = resource ?? (allowed.length === 1 ? only : undefined);
  if (name === undefined || !allowed.includes(name)) throw new Refusal('invalid_target');
  return audiences.find(name);
}

const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

/** @throws {Refusal} invalid_scope */
function scopesOf(allowed: readonly string[], asked: string | undefined): string {
  if (asked === undefined) return allowed.join(' ');
  const wanted = [...new Set(asked.split(' '))];
  const isGood = wanted.every((scope) => SCOPE_TOKEN.test(scope) && allowed.includes(scope));
  if (!isGood) throw new Refusal('invalid_scope');
  return wanted.join(' ');
}

function withScope(scope: string): { readonly scope?: string } {
  return scope === '' ? {} : { scope };
}

/**
 * A token for the service's own audience has the user's whole authority; any other one has only the
 * scopes that it lists.
 */
function scopesWithin(
  { scopes }: Audience,
  subject: TokenClaims,
  ownAudience: string,
): readonly string[] {
  if (subject.aud === ownAudience) return scopes;
  const held = typeof subject['scope'] === 'string' ? subject['scope'].split(' ') : [];
  return scopes.filter((scope) => held.includes(scope));
}

/** @throws {Refusal} invalid_request (RFC 8693 §2.2.2) */
function subjectOf(accessTokens: Pick<AccessTokens, 'inspect'>, token: string): AccessClaims {
  let claims: TokenClaims;
  try {
    claims = accessTokens.inspect(token);
  } catch (error) {
    if (!(error instanceof TokenRefused)) throw error;
    const detail = 'This is not an access token of this service, or it has expired or was revoked.';
    throw refusedSubject({ code: error.fault, detail });
  }
  if (isUserClaims(claims)) return claims;
  throw refusedSubject({
    code: 'wrong_type',
    detail: "Only a user's access token can be exchanged.",
  });
}

const LOST_ACTOR = 'The API key of a service that acts in it is no longer valid.';

const refusedSubject = (fault: Omit<InputFault, 'pointer'>): Refusal =>
  invalidRequest({ pointer: '/subject_token', ...fault });

/** @throws {Refusal} invalid_request: too many services act in a chain */
function actorOf({ id, name }: ApiKey, before: unknown): Actor {
  if (actorIds(before).length >= MAX_ACTORS) {
    const detail = `At most ${MAX_ACTORS} services may act for a user in a chain.`;
    throw refusedSubject({ code: 'too_many_actors', detail });
  }
  return before === undefined ? { sub: id, name } : { sub: id, name, act: before };
}

/**
 * @throws {Refusal} invalid_request: an API key with which the token was obtained is not valid any
 *   more
 */
async function demandLiveActors(apiKeys: Pick<ApiKeys, 'find'>, act: unknown): Promise<void> {
  for (const id of actorIds(act)) {
    if ((await apiKeys.find(id)) === null)
      throw refusedSubject({ code: 'invalid', detail: LOST_ACTOR });
  }
}

/** The profile and operator's claims in a token. */
function carriedClaims(subject: TokenClaims): Record<string, unknown> {
  const { preferred_username, name, email, email_verified, ...rest } = subject;
  const profile = { preferred_username, name, email, email_verified };
  const present = Object.entries(profile).filter(([, value]) => value !== undefined);
  return { ...operatorClaims(rest), ...Object.fromEntries(present) };
}
