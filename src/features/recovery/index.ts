/** A forgotten password. */
import { feature } from '../feature.ts';
import { recoveryRoutes } from './routes.ts';

export const recovery = feature({
  name: 'recovery',
  settings: ({ mail, server }) => ({
    resetUrl: mail.reset_url ?? `${server.public_url}/reset-password`,
    linkTtlMs: mail.link_ttl,
  }),
  create: (kernel, settings) => ({ routes: () => recoveryRoutes(kernel, settings) }),
});
