/**
 * Verification for callers that don't verify themselves: GET /verify for reverse proxies (nginx
 * auth_request, Traefik, Caddy, Envoy), POST /verify for programs. Both work from memory:
 * signature, claims, and the set of ended sessions.
 */
import { feature } from '../feature.ts';
import { verificationRoutes } from './routes.ts';

export const verification = feature({
  name: 'verification',
  settings: () => undefined,
  create: (kernel) => ({ routes: () => verificationRoutes(kernel) }),
});
