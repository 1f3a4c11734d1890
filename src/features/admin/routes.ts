/** Everything under /admin/users. */
import * as z from 'zod';
import type { Kernel } from '../../core/kernel.ts';
import { metadata, nameText, text } from '../../http/fields.ts';
import { route } from '../../http/route.ts';
import type { AnyRoute } from '../../http/route.ts';
import { changeUser, demandUser } from './change-user.ts';
import { createUser } from './create-user.ts';
import { deleteUser } from './delete-user.ts';
import { findUsers } from './find-users.ts';
import { USER, actRoutes, listRoutes, security, tag } from './acts.ts';
import { ListedUserReply, listedUserReply, userDetailReply, userDetailSchema } from './replies.ts';
import type { AdminSettings } from './settings.ts';
import { showUser } from './show-user.ts';

const externalId = text({ min: 1, max: 255 }).meta({
  description: 'What another system calls the account; of one account at most.',
});
const claims = metadata().meta({
  description: [
    "What the user's access tokens carry besides, from the next sign-in or refresh on: roles,",
    'groups. Replaced as a whole.',
  ].join(' '),
});
const displayName = text({ min: 1, max: 128 });

const MAX_PAGE = 200;

const limit = z
  .string()
  .regex(/^[1-9]\d{0,2}$/)
  .transform(Number)
  .refine((value) => value <= MAX_PAGE)
  .optional()
  .meta({ description: `Users of a page: 1 to ${MAX_PAGE}, 50 without.` });

const DEFAULT_PAGE = 50;

const UserQuery = z.strictObject({
  search: text({ min: 1, max: 254 }).optional().meta({
    description: 'What the username or the verified address begins with.',
  }),
  username: nameText('name').optional().meta({ description: 'Exactly this username.' }),
  email: nameText('address').optional().meta({
    description: 'Exactly this address: its owner first, then users who claim it.',
  }),
  external_id: externalId.optional(),
  disabled: z
    .enum(['true', 'false'])
    .optional()
    .meta({ description: 'Only disabled users, or only others.' }),
  limit,
  cursor: z.string().max(1_024).optional().meta({ description: 'next_cursor of the page before.' }),
});

const UserPageReply = z
  .object({
    users: z.array(ListedUserReply),
    next_cursor: z.string().nullable().meta({ description: 'Null after the last page.' }),
  })
  .meta({ id: 'UserPage' });

function collectionRoutes(kernel: Kernel, settings: AdminSettings): readonly AnyRoute[] {
  const find = findUsers(kernel);
  const create = createUser(kernel, settings);
  return [
    route({
      method: 'get',
      path: '/admin/users',
      tag,
      summary: 'Find users',
      description: [
        'One page: of all users, oldest first; or by search, external_id, username or email.',
        'With disabled a page may be shorter than its limit: go on until next_cursor is null.',
        'Users who are made meanwhile move nothing.',
      ].join(' '),
      security,
      query: UserQuery,
      status: 200,
      reply: UserPageReply,
      problems: [],
      handle: async (call) => {
        const { query } = call;
        const page = await find(kernel.context(call), {
          prefix: query.search,
          username: query.username,
          email: query.email,
          externalId: query.external_id,
          disabled: query.disabled === undefined ? undefined : query.disabled === 'true',
          limit: query.limit ?? DEFAULT_PAGE,
          cursor: query.cursor,
        });
        return { users: page.users.map(listedUserReply), next_cursor: page.nextCursor };
      },
    }),
    route({
      method: 'post',
      path: '/admin/users',
      tag,
      summary: 'Create a user',
      description: [
        "Without a password, which is the user's own to choose: an invitation goes to email,",
        'and using it verifies the address. With a username alone, an operator prints a link',
        'on the machine (postern user reset-link).',
      ].join(' '),
      security,
      body: z.strictObject({
        username: nameText('name').optional(),
        email: nameText('address').optional(),
        display_name: displayName.optional(),
        user_metadata: metadata().optional(),
        external_id: externalId.optional(),
        claims: claims.optional(),
      }),
      status: 201,
      reply: ListedUserReply,
      problems: ['username_taken', 'email_taken', 'external_id_taken'],
      handle: async (call) => {
        const { body } = call;
        const { id } = await create(kernel.context(call), {
          username: body.username,
          email: body.email,
          displayName: body.display_name,
          userMetadata: body.user_metadata,
          externalId: body.external_id,
          claims: body.claims,
        });
        return listedUserReply(await demandUser(kernel, id));
      },
    }),
  ];
}

function userRoutes(kernel: Kernel, settings: AdminSettings): readonly AnyRoute[] {
  const show = showUser(kernel);
  const change = changeUser(kernel, settings);
  const remove = deleteUser(kernel);
  return [
    route({
      method: 'get',
      path: USER,
      tag,
      summary: 'Get everything about a user',
      description: [
        'State, factors, sessions, failed attempts and waiting emails; obstacles says why the',
        'user can not sign in.',
      ].join(' '),
      security,
      status: 200,
      reply: userDetailSchema(kernel.factors.listings),
      problems: ['not_found'],
      handle: async (call) => {
        const user = await demandUser(kernel, call.params['id'] ?? '');
        return userDetailReply(await show(kernel.context(call), user));
      },
    }),
    route({
      method: 'patch',
      path: USER,
      tag,
      summary: 'Change a user',
      description: [
        'All of it or nothing; what is left out stays. disabled and password_change_required',
        'end every session. A new email is pending, and its code goes there; with',
        'email_verified true it counts at once, on your word, and replacing one ends every',
        'session. claims and user_metadata are replaced as a whole; null removes display_name',
        "and external_id. The password is nobody's here to set.",
      ].join(' '),
      security,
      body: z.strictObject({
        username: nameText('name').optional(),
        display_name: displayName.nullable().optional(),
        user_metadata: metadata().optional(),
        external_id: externalId.nullable().optional(),
        claims: claims.optional(),
        email: nameText('address').optional(),
        email_verified: z.boolean().optional(),
        disabled: z.boolean().optional(),
        password_change_required: z.boolean().optional(),
      }),
      status: 200,
      reply: ListedUserReply,
      problems: [
        'not_found',
        'username_taken',
        'email_taken',
        'external_id_taken',
        'conflict',
        'overloaded',
      ],
      handle: async (call) => {
        const { body } = call;
        const changed = await change(kernel.context(call), call.params['id'] ?? '', {
          username: body.username,
          displayName: body.display_name,
          userMetadata: body.user_metadata,
          externalId: body.external_id,
          claims: body.claims,
          email: body.email,
          emailVerified: body.email_verified,
          disabled: body.disabled,
          passwordChangeRequired: body.password_change_required,
        });
        return listedUserReply(changed);
      },
    }),
    route({
      method: 'delete',
      path: USER,
      tag,
      summary: 'Delete a user',
      description: 'Every session, credential, one-time token and waiting email goes with it.',
      security,
      status: 204,
      problems: ['not_found'],
      handle: async (call) => {
        const user = await demandUser(kernel, call.params['id'] ?? '');
        await remove(kernel.context(call), user);
      },
    }),
  ];
}

export function adminRoutes(kernel: Kernel, settings: AdminSettings): readonly AnyRoute[] {
  return [
    ...collectionRoutes(kernel, settings),
    ...userRoutes(kernel, settings),
    ...actRoutes(kernel, settings),
    ...listRoutes(kernel),
  ];
}
