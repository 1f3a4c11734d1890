/** POST /refresh, /logout, /logout/all; GET and DELETE /me/sessions. */
import * as z from 'zod';
import { amrOf } from '../../core/factor/presented.ts';
import type { Kernel } from '../../core/kernel.ts';
import { verifyRefreshToken } from '../../core/token/refresh-token.ts';
import { resourceMember, rfc3339, timestamp, tokenText } from '../../http/fields.ts';
import { bearer, route } from '../../http/route.ts';
import type { AnyRoute } from '../../http/route.ts';
import { AuthenticatedReply } from '../../http/schemas.ts';
import {
  cookieMember,
  deliver,
  demandCookies,
  forgetRefreshCookie,
  presentedToken,
} from '../../http/token-transport.ts';
import type { CookiePolicy } from '../../http/token-transport.ts';
import { removeSession, signOut, signOutEverywhere } from './end-session.ts';

const SessionReply = z
  .object({
    id: z.string(),
    created_at: timestamp,
    last_used_at: timestamp,
    ip: z.string().nullable(),
    user_agent: z.string().nullable(),
    amr: z.array(z.string()).readonly(),
    current: z.boolean(),
  })
  .meta({ id: 'Session' });

export function sessionRoutes(kernel: Kernel, cookies: CookiePolicy): readonly AnyRoute[] {
  return [...tokenRoutes(kernel, cookies), ...listRoutes(kernel)];
}

function tokenRoutes(kernel: Kernel, cookies: CookiePolicy): readonly AnyRoute[] {
  const { signingKeys, issuer } = kernel;
  const endOne = signOut(kernel);
  const endAll = signOutEverywhere(kernel);
  return [
    route({
      method: 'post',
      path: '/refresh',
      tag: 'Sessions',
      summary: 'Refresh: rotate the refresh token and get a new access token',
      description:
        'The token comes in the body, as Authorization: Bearer, or in the cookie. For sessions.refresh_grace after a rotation, the token that was used gets the same successor again, from the same network and user agent; the successor itself is not rotated in that time and only gets a new access token (rotated: false). Later, from elsewhere, or after a renewed authentication, a used token ends the whole session.',
      security: 'public',
      body: z.strictObject({
        refresh_token: tokenText().optional(),
        resource: resourceMember,
        cookie: cookieMember,
      }),
      bodyOptional: true,
      readsCookie: true,
      status: 200,
      reply: AuthenticatedReply,
      problems: [
        'invalid_token',
        'invalid_target',
        'refresh_token_expired',
        'refresh_token_reused',
        'refresh_cookie_missing',
        'session_revoked',
        'account_disabled',
        'mfa_enrolment_required',
        'origin_not_allowed',
        'rate_limited',
        'overloaded',
      ],
      handle: async (call) => {
        const { token, from } = presentedToken(cookies, call);
        const asked = call.body.cookie === true || from === 'cookie';
        demandCookies(cookies, call, asked);
        const context = kernel.context(call, kernel.audiences.ofRequest(call.body.resource));
        const subject = verifyRefreshToken(signingKeys, issuer, token);
        kernel.limits.demand('refresh', { kind: 'session', id: subject.sessionId });
        return deliver(call, await kernel.refreshSession(context, subject), asked);
      },
    }),
    route({
      method: 'post',
      path: '/logout',
      tag: 'Sessions',
      summary: 'Sign out the session of a token',
      description:
        'Takes the refresh token (body, Authorization or cookie), or an access token as Authorization. Idempotent: succeeds for an ended session too.',
      security: 'public',
      body: z.strictObject({ refresh_token: tokenText().optional() }),
      bodyOptional: true,
      readsCookie: true,
      status: 204,
      problems: ['invalid_token', 'refresh_cookie_missing', 'origin_not_allowed', 'overloaded'],
      handle: async (call) => {
        const { token, from } = presentedToken(cookies, call);
        const accepts = from === 'authorization' ? 'any_token' : 'refresh_tokens';
        await endOne(kernel.context(call), { token, accepts });
        if (from === 'cookie') forgetRefreshCookie(call);
      },
    }),
    route({
      method: 'post',
      path: '/logout/all',
      tag: 'Sessions',
      summary: 'Sign out every session of the user',
      security: bearer(),
      status: 204,
      problems: [],
      handle: async (call) => {
        await endAll(kernel.context(call));
        if (cookies.enabled) forgetRefreshCookie(call);
      },
    }),
  ];
}

function listRoutes(kernel: Kernel): readonly AnyRoute[] {
  const { sessions } = kernel;
  const remove = removeSession(kernel);
  return [
    route({
      method: 'get',
      path: '/me/sessions',
      tag: 'Sessions',
      summary: 'List the active sessions of the user',
      security: bearer(),
      status: 200,
      reply: z.object({ sessions: z.array(SessionReply) }),
      problems: [],
      handle: async ({ principal }) => {
        const own = await sessions.list(principal.user.id);
        return {
          sessions: own.map((session) => ({
            id: session.id,
            created_at: rfc3339(session.createdAt),
            last_used_at: rfc3339(session.lastUsedAt),
            ip: session.ip,
            user_agent: session.userAgent,
            amr: amrOf(session.factors),
            current: session.id === principal.session.id,
          })),
        };
      },
    }),
    route({
      method: 'delete',
      path: '/me/sessions/{id}',
      tag: 'Sessions',
      summary: 'End one session of the user',
      description: "404 for another user's session, and for one that has ended.",
      security: bearer(),
      status: 204,
      problems: ['not_found'],
      handle: (call) => remove(kernel.context(call), call.params['id'] ?? ''),
    }),
  ];
}
