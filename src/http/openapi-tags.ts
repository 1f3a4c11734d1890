/** The tags of the OpenAPI document, by which readers group its routes. */
import type { Json } from './openapi-components.ts';
import type { AnyRoute } from './route.ts';

const TAGS: Readonly<Record<string, string>> = {
  Account: 'Registering, the profile, the email address, the end of an account.',
  'Sign-in': 'First and second factors, and presenting one again.',
  Sessions: 'Refresh tokens, signing out, the list of sessions.',
  Password: 'Checking, forgetting and setting a password.',
  Factors: 'Authenticator apps, passkeys, recovery codes.',
  Services: 'For those who verify tokens: keys, metadata, introspection.',
  Administration: 'Looking after users, for programs of those who run the service.',
  Operations: 'Whether the service lives, and this document.',
};

/** The tags of these routes, those that are not ours without a description. */
export function tagsOf(routes: readonly AnyRoute[]): readonly Json[] {
  return [...new Set(routes.map(({ tag }) => tag))].map((name) => ({
    name,
    ...(TAGS[name] === undefined ? {} : { description: TAGS[name] }),
  }));
}
