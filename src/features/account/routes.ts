/** GET, PATCH and DELETE /me; POST /email/verify and /email/verify/resend. */
import * as z from 'zod';
import type { App } from '../../app/capabilities.ts';
import { hasSecondFactor } from '../../core/factor/second-factor.ts';
import { bearer, route } from '../../http/route.ts';
import type { AnyRoute } from '../../http/route.ts';
import { metadata, text } from '../../http/fields.ts';
import { UserReply, userReply } from '../../http/schemas.ts';
import { changeEmail, resendEmailCode, verifyEmail } from './change-email.ts';
import { changeProfile, deleteAccount, profileStatement } from './change-profile.ts';

const changeable = {
  display_name: text({ min: 1, max: 128 }).nullable().optional(),
  user_metadata: metadata().optional(),
  email: z.string().max(512, 'No address is that long.').optional(),
};

export function accountRoutes(app: App): readonly AnyRoute[] {
  const hasUsernames = app.config.registration.usernames;
  return [
    route({
      method: 'get',
      path: '/me',
      tag: 'Account',
      summary: 'The user whose token it is',
      security: bearer(),
      status: 200,
      reply: UserReply,
      problems: [],
      handle: async ({ principal }) =>
        userReply(principal.user, await hasSecondFactor(app, principal.user.id)),
    }),
    route({
      method: 'patch',
      path: '/me',
      tag: 'Account',
      summary: 'Change the username, the display name, the metadata or the e-mail address',
      description:
        'What is left out stays as it is. A new address is pending until POST /email/verify; the old one stays in force and is told. user_metadata is replaced as a whole; display_name null takes it away.',
      security: bearer({ fresh: true }),
      body: hasUsernames
        ? z.strictObject({
            ...changeable,
            username: z.string().max(512, 'No name here is that long.').optional(),
          })
        : z.strictObject(changeable),
      status: 200,
      reply: UserReply,
      problems: hasUsernames ? ['username_taken', 'overloaded'] : ['overloaded'],
      handle: async ({ body, principal, requester, signal }) => {
        const change = {
          username:
            'username' in body && typeof body.username === 'string' ? body.username : undefined,
          displayName: body.display_name,
          userMetadata: body.user_metadata,
        };
        const user =
          body.email === undefined
            ? await changeProfile(app, principal, change, requester)
            : await changeEmail(
                app,
                principal,
                body.email,
                [profileStatement(app, principal, change)],
                requester,
                signal,
              );
        return userReply(user, await hasSecondFactor(app, user.id));
      },
    }),
    route({
      method: 'delete',
      path: '/me',
      tag: 'Account',
      summary: 'Delete the account',
      description: 'Every session, credential and one-time token goes with it.',
      security: bearer({ fresh: true }),
      status: 204,
      problems: [],
      handle: ({ principal, requester }) => deleteAccount(app, principal, requester),
    }),
    route({
      method: 'post',
      path: '/email/verify',
      tag: 'Account',
      summary: 'Prove the pending address by the code that was sent to it',
      description:
        'The mailbox and the account, both. Other accounts that only claimed the address lose it; where it replaces an old one, the other sessions end.',
      security: bearer(),
      body: z.strictObject({ code: z.string().max(32, 'No code is that long.') }),
      status: 200,
      reply: UserReply,
      problems: ['invalid_code', 'too_many_attempts', 'overloaded'],
      handle: async ({ body, principal, requester, signal }) => {
        const user = await verifyEmail(app, principal, body.code, requester, signal);
        return userReply(user, await hasSecondFactor(app, user.id));
      },
    }),
    route({
      method: 'post',
      path: '/email/verify/resend',
      tag: 'Account',
      summary: 'Send another code to the pending address',
      description: 'Within the interval and the hourly limit of the address.',
      security: bearer(),
      status: 202,
      problems: ['overloaded'],
      handle: ({ principal, requester, signal }) =>
        resendEmailCode(app, principal, requester, signal),
    }),
  ];
}
