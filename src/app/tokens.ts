/** Token audiences and status lists, from the configuration. */
import type { Config } from '../config/schema.ts';
import { createAudiences } from '../core/token/audience.ts';
import type { Audiences } from '../core/token/audience.ts';
import { statusPlaces } from '../core/token/status-index.ts';
import { createStatusLists } from '../core/token/status-list.ts';
import type { StatusListDeps, StatusLists } from '../core/token/status-list.ts';
import type { SigningKeys } from '../core/signing-key/signing-key.ts';

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

export function statusListsOf(
  { server, revocation }: Config,
  deps: Pick<StatusListDeps, 'db' | 'clock' | 'revocations'> & { readonly keys: SigningKeys },
): StatusLists {
  return createStatusLists({
    ...deps,
    place: statusPlaces(deps.keys.derivedKey),
    issuer: server.public_url,
    isOn: revocation.status_list,
    ttlMs: revocation.ttl,
  });
}
