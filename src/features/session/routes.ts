/** POST /refresh, /logout, /logout/all; GET and DELETE /me/sessions. */
import * as z from 'zod';
import type { App } from '../../app/capabilities.ts';
import { refreshSession } from '../../core/factor/authentication.ts';
import { verifyRefreshToken } from '../../core/token/refresh-token.ts';
import { listSessions } from '../../core/session/session.ts';
import { bearer, route } from '../../http/route.ts';
import type { AnyRoute } from '../../http/route.ts';
import { rfc3339, timestamp, tokenText } from '../../http/fields.ts';
import { AuthenticatedReply } from '../../http/schemas.ts';
import {
  cookieMember,
  deliver,
  demandCookies,
  forgetRefreshCookie,
  presentedToken,
} from '../../http/token-transport.ts';
import { removeSession, signOut, signOutEverywhere } from './operations.ts';

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

export function sessionRoutes(app: App): readonly AnyRoute[] {
  return [
    route({
      method: 'post',
      path: '/refresh',
      tag: 'Sessions',
      summary: 'Trade the refresh token for its successor and a new access token',
      description:
        'The token comes in the body, as Authorization: Bearer, or in the cookie. Within sessions.refresh_grace a token that was just used gets the same successor again; later, or once that successor was used, the whole session ends.',
      security: 'public',
      body: z.strictObject({ refresh_token: tokenText().optional(), cookie: cookieMember }),
      bodyOptional: true,
      status: 200,
      reply: AuthenticatedReply,
      problems: [
        'invalid_token',
        'refresh_token_expired',
        'refresh_token_reused',
        'session_revoked',
        'account_disabled',
        'mfa_enrolment_required',
        'origin_not_allowed',
        'overloaded',
      ],
      handle: async (call) => {
        const { token, from } = presentedToken(app, call);
        const asked = call.body.cookie === true || from === 'cookie';
        demandCookies(app, call, asked);
        const claims = verifyRefreshToken(app.keys, app.policy.issuer, token);
        return deliver(call, await refreshSession(app, claims, call.requester), asked);
      },
    }),
    route({
      method: 'post',
      path: '/logout',
      tag: 'Sessions',
      summary: 'Sign out the session of a token',
      description:
        'Takes the refresh token (body, Authorization or cookie), or an access token as Authorization. Idempotent: an ended session is signed out already.',
      security: 'public',
      body: z.strictObject({ refresh_token: tokenText().optional() }),
      bodyOptional: true,
      status: 204,
      problems: ['invalid_token', 'origin_not_allowed', 'overloaded'],
      handle: async (call) => {
        const { token, from } = presentedToken(app, call);
        await signOut(app, token, from === 'authorization', call.requester);
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
        await signOutEverywhere(app, call.principal, call.requester);
        if (app.config.cookies.enabled) forgetRefreshCookie(call);
      },
    }),
    route({
      method: 'get',
      path: '/me/sessions',
      tag: 'Sessions',
      summary: 'The live sessions of the user',
      security: bearer(),
      status: 200,
      reply: z.object({ sessions: z.array(SessionReply) }),
      problems: [],
      handle: async ({ principal }) => {
        const sessions = await listSessions(app, app.policy.sessions, principal.user.id);
        return {
          sessions: sessions.map((session) => ({
            id: session.id,
            created_at: rfc3339(session.createdAt),
            last_used_at: rfc3339(session.lastUsedAt),
            ip: session.ip,
            user_agent: session.userAgent,
            amr: session.amr,
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
      description: "404 for another user's, and for one that has ended.",
      security: bearer(),
      status: 204,
      problems: ['not_found'],
      handle: (call) => removeSession(app, call.principal, call.params['id'] ?? '', call.requester),
    }),
  ];
}
