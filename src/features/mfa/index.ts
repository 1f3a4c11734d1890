/** The second step of a sign-in, and reauthentication within a session, by any enabled factor. */
import { feature } from '../feature.ts';
import { mfaRoutes } from './routes.ts';

export const mfa = feature({
  name: 'mfa',
  settings: ({ cookies }) => cookies,
  create: (kernel, cookies) => ({ routes: () => mfaRoutes(kernel, cookies) }),
});
