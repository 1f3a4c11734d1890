/** The audiences of the configuration, as the core knows them. */
import type { Config } from '../config/schema.ts';
import { createAudiences } from '../core/token/audience.ts';
import type { Audiences } from '../core/token/audience.ts';

export function audiencesOf({ tokens, audiences }: Config): Audiences {
  const { audience: name, access_ttl: ttlMs, profile_claims: profileClaims } = tokens;
  const others = [...audiences].map(([other, { ttl, claims, scopes }]) => ({
    name: other,
    ttlMs: Math.min(ttl, ttlMs),
    claims,
    scopes,
  }));
  return createAudiences({ name, ttlMs, profileClaims }, others);
}
