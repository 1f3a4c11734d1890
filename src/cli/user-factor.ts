/**
 * `postern user remove-factors|renew-grace`: for users who lost a second factor, or never enrolled
 * one.
 */
import { NAME, YES, onUser, withUser } from './on-user.ts';
import type { Verb } from './verb.ts';

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
  run: (call) =>
    withUser(call, 'Remove every second factor of', async ({ kernel, context }, user) => {
      const kept = await kernel.factors.removeAll(context, user);
      call.output.answer(
        kept.length === 0
          ? `${user.id} has no second factor.`
          : `${user.id} keeps ${kept.join(', ')}: there is no other way to sign in to this account.`,
      );
    }),
};

export const userRenewGrace: Verb = {
  name: 'user renew-grace',
  summary:
    'Under mfa.required = "all": allows an account to sign in without a second factor for another mfa.grace.',
  examples: ['postern user renew-grace ada', 'postern user renew-grace ada@example.com'],
  arguments: [NAME],
  run: (call) =>
    onUser(call, null, async ({ accountState, context }, user) => {
      await accountState.renewGrace(context, user.id);
      return `${user.id} can enrol a second factor; the time starts at the next sign-in.`;
    }),
};
