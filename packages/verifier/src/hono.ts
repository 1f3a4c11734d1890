/** For Hono: `app.use('/api/*', requireUser(verifier))`, then `c.get('auth')`. */
import { bearerToken, refusedOf } from './bearer.ts';
import type { UserClaims } from './claims.ts';
import type { Verifier } from './verifier.ts';

/** What is used of Hono's context. */
interface Context {
  readonly req: { header(name: string): string | undefined };
  set(key: 'auth', value: UserClaims): void;
  json(body: object, status: 401 | 503, headers: Record<string, string>): Response;
}

/** Variables that it sets: `new Hono<{ Variables: AuthVariables }>()`. */
export interface AuthVariables {
  readonly auth: UserClaims;
}

export function requireUser(verifier: Verifier) {
  return async (c: Context, next: () => Promise<void>): Promise<Response | undefined> => {
    try {
      c.set('auth', await verifier.verify(bearerToken(c.req.header('authorization'))));
    } catch (error) {
      const { status, headers, body } = refusedOf(error);
      return c.json(body, status, { ...headers });
    }
    await next();
    return undefined;
  };
}
