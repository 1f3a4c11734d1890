/** The second step of a sign-in, and stepping up within a session, by whichever factors are on. */
import { feature } from '../feature.ts';
import { mfaRoutes } from './routes.ts';

export const mfa = feature({
  name: 'mfa',
  settings: ({ cookies }) => cookies,
  create: (kernel, cookies) => ({ routes: () => mfaRoutes(kernel, cookies) }),
});
