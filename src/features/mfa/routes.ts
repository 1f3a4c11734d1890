/** POST /login/mfa and /reauthenticate; GET /me/factors. */
import * as z from 'zod';
import type { Factor } from '../../core/factor/factor.ts';
import type { PresentedAgain } from '../../core/factor/sign-in-methods.ts';
import type { Kernel } from '../../core/kernel.ts';
import { answerMembers, answerOf } from '../../http/factor-answer.ts';
import { resourceMember, tokenText } from '../../http/fields.ts';
import { bearer, route } from '../../http/route.ts';
import type { AnyRoute } from '../../http/route.ts';
import { AuthenticatedReply, AuthenticationReply } from '../../http/schemas.ts';
import { cookieMember, demandCookies, deliver } from '../../http/token-transport.ts';
import type { CookiePolicy } from '../../http/token-transport.ts';
import { presentAgain } from './present-again.ts';
import { presentSecondFactor } from './present-second-factor.ts';

/** The factors that a body may present: without a second factor, only the password. */
function answerable(active: readonly Factor[]): readonly Factor[] {
  const hasSecond = active.some(({ demandsSecond }) => demandsSecond);
  return hasSecond ? active : active.filter(({ kind }) => kind === 'knowledge');
}

function reauthenticateRoute(kernel: Kernel, cookies: CookiePolicy): AnyRoute {
  const factors = answerable(kernel.factors.active);
  const methods = kernel.signInMethods.again;
  const again = presentAgain(kernel);
  return route({
    method: 'post',
    path: '/reauthenticate',
    limit: 'login',
    tag: 'Sign-in',
    summary: 'Authenticate again within the session',
    description:
      'The same session with a new auth_time: what a route that answered insufficient_user_authentication asks for. A user who has a second factor must present it: with anything else this answers insufficient_user_authentication again, with the factors that are accepted.',
    security: bearer(),
    body: z.strictObject({ ...answerMembers([...factors, ...methods]), cookie: cookieMember }),
    status: 200,
    reply: AuthenticatedReply,
    problems: [
      ...methods.flatMap(({ problems }) => problems),
      'invalid_credentials',
      'insufficient_user_authentication',
      'mfa_enrolment_required',
      'origin_not_allowed',
      'too_many_attempts',
      'overloaded',
    ],
    handle: async (call) => {
      const { body } = call;
      const answer = answerOf<Factor | PresentedAgain>(body, [...factors, ...methods]);
      demandCookies(cookies, call, body['cookie']);
      return deliver(call, await again(kernel.context(call), answer), body['cookie']);
    },
  });
}

function secondFactorRoute(kernel: Kernel, cookies: CookiePolicy): AnyRoute {
  const factors = answerable(kernel.factors.active);
  const present = presentSecondFactor(kernel);
  return route({
    method: 'post',
    path: '/login/mfa',
    limit: 'login',
    tag: 'Sign-in',
    summary: 'Complete a sign-in with a second factor',
    description:
      'With the challenge_token of a first factor and one of the factors that its answer named. A challenge allows five tries and one success; a limit per account covers all challenges.',
    security: 'public',
    body: z.strictObject({
      challenge_token: tokenText(),
      ...answerMembers(factors),
      resource: resourceMember,
      cookie: cookieMember,
    }),
    status: 200,
    reply: AuthenticationReply,
    problems: [
      'invalid_credentials',
      'invalid_target',
      'invalid_token',
      'password_change_required',
      'origin_not_allowed',
      'too_many_attempts',
      'overloaded',
    ],
    handle: async (call) => {
      const { body } = call;
      const answer = answerOf(body, factors);
      demandCookies(cookies, call, body['cookie']);
      const { resource } = body;
      const context = kernel.context(call, kernel.audiences.ofRequest(resource));
      const challengeToken = String(body['challenge_token']);
      const done = await present(context, { challengeToken, answer });
      return deliver(call, done, body['cookie']);
    },
  });
}

function listingRoute({ factors: { active } }: Kernel): AnyRoute {
  const listings = active.flatMap(({ listing }) => (listing === undefined ? [] : [listing]));
  const shapes = listings.flatMap(({ shape }) => Object.entries(shape));
  return route({
    method: 'get',
    path: '/me/factors',
    tag: 'Factors',
    summary: 'List the factors of the user',
    security: bearer(),
    status: 200,
    reply: z.object(Object.fromEntries(shapes)).meta({ id: 'Factors' }),
    problems: [],
    handle: async ({ principal: { user } }) => {
      const lists = await Promise.all(listings.map((listing) => listing.list(user)));
      return Object.fromEntries(lists.flatMap((members) => Object.entries(members)));
    },
  });
}

export function mfaRoutes(kernel: Kernel, cookies: CookiePolicy): readonly AnyRoute[] {
  const again = reauthenticateRoute(kernel, cookies);
  if (!kernel.factors.active.some(({ demandsSecond }) => demandsSecond)) return [again];
  return [again, secondFactorRoute(kernel, cookies), listingRoute(kernel)];
}
