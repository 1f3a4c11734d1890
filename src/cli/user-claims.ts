/** `postern user claims`: the claims that an operator sets for a user. */
import { contextOf, operatorCommit } from './operator-commit.ts';
import { recorded } from '../core/audit/audited-event.ts';
import { findUserByAnyName } from '../core/user/account-state.ts';
import { demandClaims } from '../core/user/claims.ts';
import { setUserClaims } from '../core/user/claims.ts';
import { claimsOption, explainRefusal } from './claims-option.ts';
import { CliRefusal, EXIT } from './exit.ts';
import { withDatabase } from './state.ts';
import { NAME } from './on-user.ts';
import type { Verb } from './verb.ts';

export const userClaims: Verb = {
  name: 'user claims',
  summary:
    "Shows or changes the additional claims in an account's access tokens, such as roles and groups. Tokens have them from the next sign-in or refresh on.",
  examples: [
    `postern user claims ada --set 'roles=["admin","billing"]'`,
    'postern user claims ada --set tenant=t1 --unset groups',
  ],
  arguments: [NAME],
  options: [
    {
      flags: '--set <name=value>',
      sentence: 'set a claim, the value as JSON; may be repeated',
      isRepeatable: true,
    },
    { flags: '--unset <name>', sentence: 'remove a claim; may be repeated', isRepeatable: true },
  ],
  run: async (call) => {
    const added = claimsOption(call, 'set');
    const removed = new Set(call.texts('unset'));
    return withDatabase(call, async (db) => {
      const user = await findUserByAnyName(db, call.arguments[0] ?? '');
      if (user === null)
        throw new CliRefusal(EXIT.failed, 'there is no such user. postern user list shows them.');
      const kept = Object.entries(user.claims).filter(([name]) => !removed.has(name));
      const claims = { ...Object.fromEntries(kept), ...added };
      const isChange = removed.size > 0 || Object.keys(added).length > 0;
      if (isChange) {
        const { clock, commit } = operatorCommit(call, db);
        const now = clock.now();
        try {
          const statement = setUserClaims(user.id, demandClaims(claims), now);
          const event = { 'user.id': user.id };
          const record = recorded('user.changed', 'an operator set the claims of a user', event);
          await commit(contextOf(call), [statement, record]);
        } catch (error) {
          throw explainRefusal(error);
        }
      }
      call.output.answerJson(claims);
      return EXIT.done;
    });
  },
};
