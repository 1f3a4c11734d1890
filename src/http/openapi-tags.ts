/** The tags of the OpenAPI document, which group its routes. */
import type { Json } from './openapi-components.ts';
import type { AnyRoute } from './route.ts';

const TAGS: Readonly<Record<string, string>> = {
  Account: 'Registering, the profile, the e-mail address, the end of an account.',
  'Sign-in': 'First and second factors, and presenting one again.',
  Sessions: 'Refresh tokens, signing out, the list of sessions.',
  Password: 'Checking, forgetting and setting a password.',
  Factors: 'Authenticator apps, passkeys, recovery codes.',
  Services: 'For those who verify tokens: keys, metadata, introspection.',
  Operations: 'Whether the service lives, and this document.',
};

/** The tags of these routes; tags of a route from outside this program have no description. */
export function tagsOf(routes: readonly AnyRoute[]): readonly Json[] {
  return [...new Set(routes.map(({ tag }) => tag))].map((name) => ({
    name,
    ...(TAGS[name] === undefined ? {} : { description: TAGS[name] }),
  }));
}
