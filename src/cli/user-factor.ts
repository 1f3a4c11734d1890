/**
 * `postern user remove-factors|renew-grace`: for users who lost a second factor, or never enrolled
 * one.
 */
import { operatorContext } from '../core/context.ts';
import { findUserByAnyName } from '../core/user/account-state.ts';
import { confirm } from './confirm.ts';
import { CliRefusal, EXIT } from './exit.ts';
import { NAME, YES, onUser } from './user.ts';
import type { Verb } from './verb.ts';
import { withApp } from './with-app.ts';

export const userRemoveFactors: Verb = {
  name: 'user remove-factors',
  summary:
    "Removes an account's authenticator app, passkeys and recovery codes, and ends its sessions. Verify the identity of the person who asks: afterwards the password alone is enough to sign in.",
  examples: [
    'postern user remove-factors ada',
    'postern user remove-factors ada@example.com --yes',
  ],
  arguments: [NAME],
  options: [YES],
  run: async (call) => {
    await confirm(
      call,
      'The account will have no second factor, and every device has to sign in again. The owner is notified by email.',
    );
    return withApp(call, async (kernel) => {
      const user = await findUserByAnyName(kernel.db, call.arguments[0] ?? '');
      if (user === null)
        throw new CliRefusal(EXIT.failed, 'there is no such user. postern user list shows them.');
      await kernel.factors.removeAll(operatorContext(kernel.log), user);
      call.output.answer(`${user.id} has no second factor.`);
      return EXIT.done;
    });
  },
};

export const userRenewGrace: Verb = {
  name: 'user renew-grace',
  summary:
    'Under mfa.required = "all": allows an account to sign in without a second factor for another mfa.grace.',
  examples: ['postern user renew-grace ada', 'postern user renew-grace ada@example.com'],
  arguments: [NAME],
  run: (call) =>
    onUser(call, async ({ accountState, context }, user) => {
      await accountState.renewGrace(context, user.id);
      return `${user.id} can enrol a second factor; the time starts at the next sign-in.`;
    }),
};
