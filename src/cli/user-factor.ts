/**
 * `postern user remove-factors|renew-grace`: the way back for somebody who lost a second factor, or
 * never enrolled one.
 */
import { findUserByAnyName, renewMfaGrace } from '../core/user/account-state.ts';
import { removeAllFactors } from '../core/factor/factor-change.ts';
import { confirm } from './confirm.ts';
import { CliRefusal, EXIT } from './exit.ts';
import { NAME, YES, onUser } from './user.ts';
import type { Verb } from './verb.ts';
import { withApp } from './with-app.ts';

export const userRemoveFactors: Verb = {
  name: 'user remove-factors',
  summary:
    'Takes authenticator app, passkeys and recovery codes of an account away, and ends its sessions. Know who asks: then the password alone signs in.',
  examples: [
    'postern user remove-factors ada',
    'postern user remove-factors ada@example.com --yes',
  ],
  arguments: [NAME],
  options: [YES],
  run: async (call) => {
    await confirm(
      call,
      'The account has no second factor any more, and every device has to sign in again. Its owner is told by letter.',
    );
    return withApp(call, async (app) => {
      const user = await findUserByAnyName(app, call.arguments[0] ?? '');
      if (user === null)
        throw new CliRefusal(EXIT.failed, 'there is no such user. postern user list shows them.');
      await removeAllFactors(app, user, {
        requestId: 'operator',
        ip: null,
        userAgent: null,
        locale: null,
      });
      call.output.answer(`${user.id} has no second factor.`);
      return EXIT.done;
    });
  },
};

export const userRenewGrace: Verb = {
  name: 'user renew-grace',
  summary:
    'Under mfa.required = "all": lets an account sign in without a second factor for one more mfa.grace.',
  examples: ['postern user renew-grace ada', 'postern user renew-grace ada@example.com'],
  arguments: [NAME],
  run: (call) =>
    onUser(call, async (db, user) => {
      await renewMfaGrace({ db }, user.id);
      return `${user.id} can enrol a second factor: the time begins with the next sign-in.`;
    }),
};
