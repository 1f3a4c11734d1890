/**
 * `postern user disable|enable|unlock|expire-password|logout`: works beside a running service,
 * which notices within a moment.
 */
import { NAME, YES, counted, onUser } from './on-user.ts';
import type { Verb } from './verb.ts';

export const userDisable: Verb = {
  name: 'user disable',
  summary: 'Disables an account and ends its sessions at once.',
  examples: [
    'postern user disable ada',
    'postern user disable 01a1fe1f-4f57-71f1-8260-39b2a9e7b97e --yes',
  ],
  arguments: [NAME],
  options: [YES],
  run: (call) =>
    onUser(call, 'Disable', async ({ accountState, context }, user) =>
      (await accountState.disable(context, user.id))
        ? `${user.id} is disabled.`
        : `${user.id} was disabled already.`,
    ),
};

export const userEnable: Verb = {
  name: 'user enable',
  summary: 'Enables a disabled account again.',
  examples: ['postern user enable ada', 'postern user enable ada@example.com'],
  arguments: [NAME],
  run: (call) =>
    onUser(call, null, async ({ accountState, context }, user) =>
      (await accountState.enable(context, user.id))
        ? `${user.id} is enabled.`
        : `${user.id} was enabled already.`,
    ),
};

export const userUnlock: Verb = {
  name: 'user unlock',
  summary: "Resets an account's failed attempts, so that its owner need not wait.",
  examples: ['postern user unlock ada', 'postern user unlock ada@example.com'],
  arguments: [NAME],
  run: (call) =>
    onUser(call, null, async ({ accountState, context }, user) => {
      await accountState.unlock(context, user.id);
      return `${user.id} is unlocked.`;
    }),
};

export const userExpirePassword: Verb = {
  name: 'user expire-password',
  summary:
    'Demands a new password at the next sign-in and ends every session, for a password that others may know: the link to set one goes to the verified address, if there is one.',
  examples: [
    'postern user expire-password ada',
    'postern user expire-password ada@example.com --yes',
  ],
  arguments: [NAME],
  options: [YES],
  run: (call) =>
    onUser(call, 'Demand a new password of', async ({ accountState, context }, user) => {
      await accountState.expirePassword(context, user.id);
      return `${user.id} has to change the password.`;
    }),
};

export const userLogout: Verb = {
  name: 'user logout',
  summary: 'Ends every session of an account at once.',
  examples: ['postern user logout ada', 'postern user logout ada --yes'],
  arguments: [NAME],
  options: [YES],
  run: (call) =>
    onUser(call, 'Sign out', async ({ accountState, context }, user) => {
      const ended = await accountState.signOut(context, user.id);
      return `${counted(ended, 'session')} of ${user.id} ended.`;
    }),
};
