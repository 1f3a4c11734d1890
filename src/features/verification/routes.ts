/**
 * GET /verify and POST /verify.
 */
import * as z from 'zod';
import type { Kernel } from '../../core/kernel.ts';
import { TokenRefused } from '../../core/token/access-token.ts';
import type { AccessClaims } from '../../core/token/access-claims.ts';
import { MissingToken } from '../../http/answer.ts';
import { tokenText } from '../../http/fields.ts';
import { route } from '../../http/route.ts';
import type { AnyRoute, Call } from '../../http/route.ts';
import { bearerToken, claimsOf } from '../../http/security.ts';
import { countedVerifier } from './counted.ts';

/**
 * Header values are ASCII: other characters are percent-encoded UTF-8, so that a name in any script
 * passes through every proxy.
 */
function headerValue(text: string): string {
  return text.replace(/[^\x21-\x24\x26-\x7e]/gu, encodeURIComponent);
}

function setIdentity(call: Call<unknown>, claims: AccessClaims): void {
  call.setHeader('x-auth-user', claims.sub);
  call.setHeader('x-auth-session', claims.sid);
  call.setHeader('x-auth-acr', claims.acr);
  if (typeof claims.preferred_username === 'string')
    call.setHeader('x-auth-username', headerValue(claims.preferred_username));
  if (typeof claims.email === 'string') call.setHeader('x-auth-email', headerValue(claims.email));
}

export function verificationRoutes(kernel: Kernel): readonly AnyRoute[] {
  const forwardAuth = countedVerifier(kernel, 'forward_auth');
  const verify = countedVerifier(kernel, 'verify');
  return [
    route({
      method: 'get',
      path: '/verify',
      tag: 'Services',
      summary: 'Forward authentication for reverse proxies',
      description:
        'The access token comes in Authorization. Names and addresses are in the answer when tokens.profile_claims puts them into the token; characters outside ASCII are percent-encoded UTF-8. The proxy must overwrite the X-Auth headers that callers send.',
      security: 'public',
      status: 204,
      headers: {
        'X-Auth-User': 'The user id (sub).',
        'X-Auth-Session': 'The session id (sid).',
        'X-Auth-Acr': 'aal1 or aal2; aal0 for an anonymous account.',
        'X-Auth-Username': 'With the claim preferred_username.',
        'X-Auth-Email': 'With the claim email; a verified address.',
      },
      problems: ['invalid_token', 'session_revoked'],
      handle: (call) => {
        const token = bearerToken(call.header('authorization'), call.headerLines('authorization'));
        if (token === null) throw new MissingToken();
        setIdentity(call, claimsOf(forwardAuth, token));
      },
    }),
    route({
      method: 'post',
      path: '/verify',
      tag: 'Services',
      summary: 'Verify an access token',
      description:
        'An invalid token is answered with 200, verified false and a code (invalid_token, token_expired, session_revoked).',
      security: 'public',
      body: z.strictObject({ token: tokenText() }),
      status: 200,
      reply: z
        .object({
          verified: z.boolean(),
          token_kind: z.literal('access').optional(),
          remaining_time: z.number().int().optional().meta({ description: 'Seconds.' }),
          claims: z.record(z.string(), z.unknown()).optional(),
          code: z.enum(['invalid_token', 'token_expired', 'session_revoked']).optional(),
        })
        .meta({ id: 'Verification' }),
      problems: [],
      handle: ({ body }) => {
        try {
          const claims = verify.verify(body.token);
          return {
            verified: true,
            token_kind: 'access' as const,
            remaining_time: claims.exp - Math.floor(kernel.clock.now() / 1000),
            claims,
          };
        } catch (error) {
          if (error instanceof TokenRefused) return { verified: false, code: error.fault };
          throw error;
        }
      },
    }),
  ];
}
