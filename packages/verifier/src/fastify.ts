/**
 * For Fastify: `app.decorateRequest('auth', null)`, `app.addHook('onRequest', requireUser(verifier))`,
 * then `request.auth`.
 */
import { bearerToken, refusedOf } from './bearer.ts';
import type { UserClaims } from './claims.ts';
import type { Verifier } from './verifier.ts';

interface Request {
  readonly headers: { readonly authorization?: string | undefined };
  auth?: UserClaims | null;
}

interface Reply {
  code(status: number): {
    headers(values: Record<string, string>): { send(body: object): unknown };
  };
}

export function requireUser(verifier: Verifier) {
  return async (request: Request, reply: Reply): Promise<unknown> => {
    try {
      request.auth = await verifier.verify(bearerToken(request.headers.authorization));
    } catch (error) {
      const { status, headers, body } = refusedOf(error);
      reply
        .code(status)
        .headers({ ...headers })
        .send(body);
      return reply;
    }
    return undefined;
  };
}
