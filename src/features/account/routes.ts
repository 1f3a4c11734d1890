/** GET, PATCH and DELETE /me; POST /email/verify and /email/verify/resend. */
import * as z from 'zod';
import type { Kernel } from '../../core/kernel.ts';
import type { User } from '../../core/user/user.ts';
import { metadata, nameText, shortCodeText, text } from '../../http/fields.ts';
import { bearer, route } from '../../http/route.ts';
import type { AnyRoute } from '../../http/route.ts';
import { UserReply, userReply } from '../../http/schemas.ts';
import type { AddressSettings } from '../../core/one-time/address-code.ts';
import { changeEmail } from './change-email.ts';
import { changeProfile } from './change-profile.ts';
import { deleteAccount } from './delete-account.ts';
import { resendEmailCode, verifyEmail } from './verify-email.ts';

export interface AccountSettings extends AddressSettings {
  /** Whether accounts may choose a username. */
  readonly hasUsernames: boolean;
}

type Reply = z.input<typeof UserReply>;

const changeable = {
  display_name: text({ min: 1, max: 128 }).nullable().optional(),
  user_metadata: metadata().optional(),
  email: nameText('address').optional(),
};

/** A user as the API shows it, and whether it has a second factor. */
type Shown = (user: User) => Promise<Reply>;

function changeRoute(kernel: Kernel, settings: AccountSettings, shown: Shown): AnyRoute {
  const { hasUsernames } = settings;
  const change = changeProfile(kernel);
  const changeAddress = changeEmail(kernel, settings);
  return route({
    method: 'patch',
    path: '/me',
    tag: 'Account',
    summary: 'Change the username, the display name, the metadata or the email address',
    description:
      'Absent members are unchanged. A new address is pending until POST /email/verify; the old one stays in use and is notified. user_metadata is replaced as a whole; display_name null removes it.',
    security: bearer({ fresh: true }),
    body: hasUsernames
      ? z.strictObject({ ...changeable, username: nameText('name').optional() })
      : z.strictObject(changeable),
    status: 200,
    reply: UserReply,
    problems: hasUsernames
      ? ['username_taken', 'rate_limited', 'overloaded']
      : ['rate_limited', 'overloaded'],
    handle: async (call) => {
      const { body } = call;
      const profile = {
        username:
          'username' in body && typeof body.username === 'string' ? body.username : undefined,
        displayName: body.display_name,
        userMetadata: body.user_metadata,
      };
      const context = kernel.context(call);
      if (body.email === undefined) return shown(await change(context, profile));
      // Limited by network: sessions are cheap to create, and the emails go to other people.
      kernel.limits.demand('emails', { kind: 'network', requester: call.requester });
      return shown(await changeAddress(context, { email: body.email, profile }));
    },
  });
}

function addressRoutes(
  kernel: Kernel,
  settings: AddressSettings,
  shown: Shown,
): readonly AnyRoute[] {
  const verify = verifyEmail(kernel);
  const resend = resendEmailCode(kernel, settings);
  return [
    route({
      method: 'post',
      path: '/email/verify',
      renewsDevice: true,
      limit: 'login',
      tag: 'Account',
      summary: 'Verify the pending address with the code that was sent to it',
      description:
        'Needs both access to the mailbox and a session of the account. Afterwards no other account can verify this address, although their pending address looks unchanged. If it replaces another address, the other sessions end.',
      security: bearer(),
      body: z.strictObject({ code: shortCodeText }),
      status: 200,
      reply: UserReply,
      problems: ['invalid_code', 'too_many_attempts', 'overloaded'],
      handle: async (call) => shown(await verify(kernel.context(call), call.body.code)),
    }),
    route({
      method: 'post',
      path: '/email/verify/resend',
      limit: 'emails',
      tag: 'Account',
      summary: 'Send another code to the pending address',
      description: 'Subject to the interval and the hourly limit of the address.',
      security: bearer(),
      status: 202,
      problems: ['overloaded'],
      handle: (call) => resend(kernel.context(call)),
    }),
  ];
}

export function accountRoutes(kernel: Kernel, settings: AccountSettings): readonly AnyRoute[] {
  const { factors } = kernel;
  const remove = deleteAccount(kernel);
  const shown: Shown = async (user) =>
    userReply(user, { hasSecondFactor: await factors.hasSecond(user.id) });
  return [
    route({
      method: 'get',
      path: '/me',
      tag: 'Account',
      summary: 'Get the user of the access token',
      security: bearer(),
      status: 200,
      reply: UserReply,
      problems: [],
      handle: ({ principal }) => shown(principal.user),
    }),
    changeRoute(kernel, settings, shown),
    route({
      method: 'delete',
      path: '/me',
      tag: 'Account',
      summary: 'Delete the account',
      description: 'Every session, credential and one-time token is deleted too.',
      security: bearer({ fresh: true }),
      status: 204,
      problems: [],
      handle: (call) => remove(kernel.context(call)),
    }),
    ...addressRoutes(kernel, settings, shown),
  ];
}
