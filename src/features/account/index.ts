/** The account of the access token: its profile, its email address, its deletion. */
import { feature } from '../feature.ts';
import { accountRoutes } from './routes.ts';
import type { AccountSettings } from './routes.ts';

export const account = feature({
  name: 'account',
  settings: ({ registration, mail, server }): AccountSettings => ({
    hasUsernames: registration.usernames,
    verifyUrl: mail.verify_url ?? `${server.public_url}/verify-address`,
    linkTtlMs: mail.link_ttl,
  }),
  create: (kernel, settings) => ({ routes: () => accountRoutes(kernel, settings) }),
});
