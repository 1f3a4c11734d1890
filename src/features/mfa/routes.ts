/** POST /login/mfa, /reauthenticate, /me/recovery-codes; GET /me/factors. */
import * as z from 'zod';
import type { App } from '../../app/capabilities.ts';
import { AnswerBody, answerMembers, answerOf } from '../../http/factor-answer.ts';
import { tokenText } from '../../http/fields.ts';
import { bearer, route } from '../../http/route.ts';
import type { AnyRoute } from '../../http/route.ts';
import { AuthenticatedReply, AuthenticationReply, RecoveryCodesReply } from '../../http/schemas.ts';
import { cookieMember, deliver, demandCookies } from '../../http/token-transport.ts';
import { renewRecoveryCodes, showAgain, showSecondFactor } from './operations.ts';

export function mfaRoutes(app: App): readonly AnyRoute[] {
  const second = app.factors.filter(({ demandsSecond }) => demandsSecond);
  const answerable =
    second.length === 0 ? app.factors.filter(({ name }) => name === 'password') : app.factors;
  const members = answerMembers(answerable);
  const reauthentication = route({
    method: 'post',
    path: '/reauthenticate',
    tag: 'Sign-in',
    summary: 'Authenticate again within the session',
    description:
      'The same session with a new auth_time: what a route that answered insufficient_user_authentication asks for. A user who has a second factor shows that one: after the password alone this answers insufficient_user_authentication again, with the factors that would do.',
    security: bearer(),
    body: z
      .strictObject({ ...members, cookie: cookieMember })
      .pipe(AnswerBody.extend({ cookie: cookieMember })),
    status: 200,
    reply: AuthenticatedReply,
    problems: [
      'invalid_credentials',
      'insufficient_user_authentication',
      'mfa_enrolment_required',
      'origin_not_allowed',
      'too_many_attempts',
      'overloaded',
    ],
    handle: async (call) => {
      const asked = call.body.cookie === true;
      const answer = answerOf(call.body, answerable);
      demandCookies(app, call, asked);
      return deliver(
        call,
        await showAgain(app, call.principal, answer, call.requester, call.signal),
        asked,
      );
    },
  });
  if (second.length === 0) return [reauthentication];
  return [
    reauthentication,
    route({
      method: 'post',
      path: '/login/mfa',
      tag: 'Sign-in',
      summary: 'Show the second factor of a sign-in',
      description:
        'With the challenge_token of a first factor and one of the factors that its answer named. Five tries a challenge, and a cap for the account over all of them; one success.',
      security: 'public',
      body: z
        .strictObject({ challenge_token: tokenText(), ...members, cookie: cookieMember })
        .pipe(AnswerBody.extend({ challenge_token: z.string(), cookie: cookieMember })),
      status: 200,
      reply: AuthenticationReply,
      problems: [
        'invalid_credentials',
        'invalid_token',
        'password_change_required',
        'origin_not_allowed',
        'too_many_attempts',
        'overloaded',
      ],
      handle: async (call) => {
        const asked = call.body.cookie === true;
        const answer = answerOf(call.body, answerable);
        demandCookies(app, call, asked);
        return deliver(
          call,
          await showSecondFactor(
            app,
            call.body.challenge_token,
            answer,
            call.requester,
            call.signal,
          ),
          asked,
        );
      },
    }),
    route({
      method: 'get',
      path: '/me/factors',
      tag: 'Factors',
      summary: 'The factors that the user has',
      security: bearer(),
      status: 200,
      reply: z
        .object(Object.assign({}, ...app.factors.map(({ listing }) => listing?.shape ?? {})))
        .meta({ id: 'Factors' }),
      problems: [],
      handle: async ({ principal }) =>
        Object.assign(
          {},
          ...(await Promise.all(
            app.factors.map(({ listing }) => listing?.list(principal.user) ?? {}),
          )),
        ),
    }),
    route({
      method: 'post',
      path: '/me/recovery-codes',
      tag: 'Factors',
      summary: 'Make ten new recovery codes',
      description: 'Shown this once; the old set no longer works. The other sessions end.',
      security: bearer({ fresh: true }),
      status: 200,
      reply: RecoveryCodesReply,
      problems: ['no_second_factor', 'conflict', 'overloaded'],
      handle: async ({ principal, requester, signal }) => ({
        recovery_codes: [...(await renewRecoveryCodes(app, principal, requester, signal))],
      }),
    }),
  ];
}
