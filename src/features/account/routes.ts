/** GET, PATCH and DELETE /me. */
import { z } from 'zod';
import type { App } from '../../capabilities.ts';
import { hasSecondFactor } from '../../core/authentication.ts';
import { bearer, route } from '../../http/route.ts';
import type { AnyRoute } from '../../http/route.ts';
import { metadata, text } from '../../http/fields.ts';
import { UserReply, userReply } from '../../http/schemas.ts';
import { changeProfile, deleteAccount } from './operations.ts';

export function accountRoutes(app: App): readonly AnyRoute[] {
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
      handle: async ({ principal }) => userReply(principal.user, await hasSecondFactor(app, principal.user.id)),
    }),
    route({
      method: 'patch',
      path: '/me',
      tag: 'Account',
      summary: 'Change the username, the display name or the metadata',
      description: 'What is left out stays as it is. user_metadata is replaced as a whole; display_name null takes it away.',
      security: bearer({ fresh: true }),
      body: z.strictObject({
        username: z.string().max(512, 'No name here is that long.').optional(),
        display_name: text({ min: 1, max: 128 }).nullable().optional(),
        user_metadata: metadata().optional(),
      }),
      status: 200,
      reply: UserReply,
      problems: ['username_taken'],
      handle: async ({ body, principal, requester }) => {
        const change = { username: body.username, displayName: body.display_name, userMetadata: body.user_metadata };
        const user = await changeProfile(app, principal, change, requester);
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
  ];
}
