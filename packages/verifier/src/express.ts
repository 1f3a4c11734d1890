/** For Express: `app.use('/api', requireUser(verifier))`, then `res.locals.auth`. */
import { bearerToken, refusedOf } from './bearer.ts';
import type { UserClaims } from './claims.ts';
import type { Verifier } from './verifier.ts';

interface Request {
  readonly headers: { readonly authorization?: string | undefined };
}

interface Response {
  locals: { auth?: UserClaims };
  status(code: number): { set(headers: Record<string, string>): { json(body: object): unknown } };
}

export function requireUser(verifier: Verifier) {
  return async (req: Request, res: Response, next: (error?: unknown) => void): Promise<void> => {
    try {
      res.locals.auth = await verifier.verify(bearerToken(req.headers.authorization));
    } catch (error) {
      try {
        const { status, headers, body } = refusedOf(error);
        res
          .status(status)
          .set({ ...headers })
          .json(body);
      } catch (other) {
        next(other);
      }
      return;
    }
    next();
  };
}
