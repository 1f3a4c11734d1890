/** The tags of the OpenAPI document, which group its routes. */
import type { Json } from './openapi-components.ts';
import type { AnyRoute } from './route.ts';

const TAGS: Readonly<Record<string, string>> = {
  Account: 'Registering, the profile, the email address, deleting an account.',
  'Sign-in': 'First and second factors, and reauthentication.',
  Sessions: 'Refresh tokens, signing out, the list of sessions.',
  Password: 'Checking, resetting and changing a password.',
  Factors: 'Authenticator apps, passkeys, recovery codes.',
  Services: 'For services that verify tokens: keys, metadata, introspection.',
  Administration: 'User management for operators and their programs.',
  Operations: 'Health of the service, and this document.',
};

/** The tags of these routes; tags of a route from outside this program have no description. */
export function tagsOf(routes: readonly AnyRoute[]): readonly Json[] {
  return [...new Set(routes.map(({ tag }) => tag))].map((name) => ({
    name,
    ...(TAGS[name] === undefined ? {} : { description: TAGS[name] }),
  }));
}
