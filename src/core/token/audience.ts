/**
 * The audience of an access token. Without a `resource` (RFC 8707) it is this service's own
 * audience; each other audience has its own claims, scopes and lifetime.
 */
import type { JsonObject } from '../../lib/json.ts';
import { Refusal } from '../../refusal.ts';
import { profileClaims } from '../user/profile-claims.ts';
import type { ProfileClaim } from '../user/profile-claims.ts';
import type { User } from '../user/user.ts';
import { isRegisteredClaim } from './registered-claims.ts';

export interface Audience {
  readonly name: string;
  readonly ttlMs: number;
  /** The profile and operator's claims that its tokens contain. */
  readonly claims: readonly string[];
  readonly scopes: readonly string[];
}

/** The configuration of the service's own audience. */
export interface OwnAudience {
  readonly name: string;
  readonly ttlMs: number;
  readonly profileClaims: readonly ProfileClaim[];
}

export interface Audiences {
  readonly own: OwnAudience;
  /** @throws {Refusal} invalid_target: there is no such audience */
  find(resource: string): Audience;
  /**
   * The audience that a user's request names; null is the service's own audience, the default.
   *
   * @throws {Refusal} invalid_target
   */
  ofRequest(resource: string | undefined): Audience | null;
  has(name: string): boolean;
  readonly names: readonly string[];
}

export function createAudiences(own: OwnAudience, others: readonly Audience[]): Audiences {
  const byName = new Map(others.map((audience) => [audience.name, audience]));
  const find = (resource: string): Audience => {
    const audience = byName.get(resource);
    if (audience === undefined) throw new Refusal('invalid_target');
    return audience;
  };
  return {
    own,
    find,
    ofRequest: (resource) =>
      resource === undefined || resource === own.name ? null : find(resource),
    has: (name) => byName.has(name),
    names: [...byName.keys()],
  };
}

const PROFILE: readonly ProfileClaim[] = ['preferred_username', 'name', 'email', 'email_verified'];

/** An operator's claims without those that have a meaning to the service. */
export function operatorClaims(claims: JsonObject): Record<string, unknown> {
  return Object.fromEntries(Object.entries(claims).filter(([name]) => !isRegisteredClaim(name)));
}

/** The claims that an audience may receive. */
export function claimsFor(
  { claims: names }: Pick<Audience, 'claims'>,
  claims: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  return Object.fromEntries(Object.entries(claims).filter(([name]) => names.includes(name)));
}

/** The claims about a user in tokens for the service's own audience, or for another one. */
export function userClaims(
  user: User,
  own: OwnAudience,
  audience: Audience | null,
): Record<string, unknown> {
  const claims = operatorClaims(user.claims);
  if (audience === null) return Object.assign(profileClaims(own.profileClaims, user), claims);
  return claimsFor(audience, Object.assign(profileClaims(PROFILE, user), claims));
}
