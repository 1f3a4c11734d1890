/**
 * `postern user create|list|disable|enable|unlock|logout`: works beside a running service, which
 * notices within a moment.
 */
import { attemptLimits } from '../app/policies.ts';
import { createAttempts } from '../core/attempt/attempts.ts';
import { createCommit } from '../core/commit.ts';
import { operatorContext } from '../core/context.ts';
import type { Context } from '../core/context.ts';
import { createAccountState, findUserByAnyName } from '../core/user/account-state.ts';
import type { AccountState } from '../core/user/account-state.ts';
import { listUsers } from '../core/user/list.ts';
import type { User } from '../core/user/user.ts';
import type { Config } from '../config/schema.ts';
import type { Database } from '../db/database.ts';
import type { OpenDatabase } from '../db/open.ts';
import { createAccount } from '../features/registration/register-by-username.ts';
import { Refusal } from '../refusal.ts';
import { confirm } from './confirm.ts';
import { CliRefusal, EXIT } from './exit.ts';
import type { ExitCode } from './exit.ts';
import { readPassword } from './read-password.ts';
import { withDatabase } from './state.ts';
import { JSON_OPTION } from './verb.ts';
import type { Verb, VerbCall } from './verb.ts';
import { SILENT, withApp } from './with-app.ts';

export const NAME = { name: '<user>', sentence: 'a username, a verified email address, or an id' };
export const YES = { flags: '--yes', sentence: 'skip the confirmation' };

function row(user: User): Record<string, unknown> {
  return {
    id: user.id,
    username: user.username,
    email: user.email ?? user.pendingEmail,
    email_verified: user.email !== null,
    display_name: user.displayName,
    disabled: user.disabledAt !== null,
    created_at: new Date(user.createdAt).toISOString(),
  };
}

export const userCreate: Verb = {
  name: 'user create',
  summary: 'Creates an account, whether or not registration is open.',
  examples: [
    'postern user create --username ada',
    'pass show ada | postern user create --username ada --password-stdin',
  ],
  options: [
    { flags: '--username <name>', sentence: 'the name to sign in with' },
    { flags: '--email <address>', sentence: 'an email address; pending until it is verified' },
    { flags: '--display-name <name>', sentence: 'the display name' },
    {
      flags: '--password-stdin',
      sentence: 'read the password from standard input',
      default: 'a hidden prompt',
    },
    JSON_OPTION,
  ],
  run: async (call) => {
    const username = call.text('username');
    if (username === undefined)
      throw new CliRefusal(EXIT.usage, '--username is missing\nsee: postern user create --help');
    const password = await readPassword(call);
    return withApp(call, async (kernel) => {
      const create = createAccount(kernel);
      try {
        const user = await create(operatorContext(kernel.log), {
          username,
          email: call.text('email'),
          password,
          displayName: call.text('display-name'),
          userMetadata: undefined,
        });
        if (call.has('json')) call.output.answerJson(row(user));
        else call.output.answer(user.id);
        return EXIT.done;
      } catch (error) {
        throw error instanceof Refusal
          ? new CliRefusal(EXIT.failed, explain(error), { cause: error })
          : error;
      }
    });
  },
};

function explain(problem: Refusal): string {
  const faults = problem.options.errors ?? [];
  return faults.length === 0
    ? (problem.options.detail ?? problem.message)
    : faults.map(({ pointer, detail }) => `${pointer.slice(1)}: ${detail}`).join('\n');
}

const PAGE = 500;

export const userList: Verb = {
  name: 'user list',
  summary: 'Lists the accounts, oldest first.',
  examples: ['postern user list', 'postern user list --json | jq -r .username'],
  options: [JSON_OPTION],
  run: (call) =>
    withDatabase(call, async (db) => {
      let count = 0;
      for await (const user of allUsers(db)) {
        count += 1;
        if (call.has('json')) call.output.answerJson(row(user));
        else call.output.answer(lineOf(user));
      }
      if (!call.has('json'))
        call.output.progress(`${count} ${count === 1 ? 'account' : 'accounts'}`);
      return EXIT.done;
    }),
};

/** Every user, oldest first, of whom only a page at a time is in memory. */
async function* allUsers(db: Database): AsyncGenerator<User> {
  let page = await listUsers(db, '', PAGE);
  while (page.length > 0) {
    yield* page;
    page = await listUsers(db, page.at(-1)?.id ?? '', PAGE);
  }
}

function lineOf(user: User): string {
  const pending = user.pendingEmail === null ? '-' : `${user.pendingEmail} (pending)`;
  const name = (user.username ?? '-').padEnd(24);
  const email = (user.email ?? pending).padEnd(32);
  return `${user.id}  ${name}  ${email}  ${user.disabledAt === null ? '' : 'disabled'}`.trimEnd();
}

/** What a verb on one account is given. */
export interface Operator {
  readonly accountState: AccountState;
  readonly context: Context;
}

/**
 * What runs beside the service: it sees ended sessions in the database, and sends emails itself.
 */
function operatorOf(call: VerbCall, db: OpenDatabase, config: Config): Operator {
  const { clock } = call.context;
  const commit = createCommit({
    db,
    refreshRevocations: async () => undefined,
    wakeCourier: () => undefined,
  });
  const attempts = createAttempts({ db, clock }, attemptLimits(config));
  return {
    accountState: createAccountState({ clock, commit, attempts }),
    context: operatorContext(SILENT),
  };
}

/** Finds the user, calls `work` and prints its answer. */
export function onUser(
  call: VerbCall,
  work: (operator: Operator, user: User) => Promise<string>,
): Promise<ExitCode> {
  return withDatabase(call, async (db, config) => {
    const user = await findUserByAnyName(db, call.arguments[0] ?? '');
    if (user === null)
      throw new CliRefusal(EXIT.failed, 'there is no such user. postern user list shows them.');
    call.output.answer(await work(operatorOf(call, db, config), user));
    return EXIT.done;
  });
}

export const userDisable: Verb = {
  name: 'user disable',
  summary: 'Disables an account and ends its sessions at once.',
  examples: [
    'postern user disable ada',
    'postern user disable 01a1fe1f-4f57-71f1-8260-39b2a9e7b97e --yes',
  ],
  arguments: [NAME],
  options: [YES],
  run: async (call) => {
    await confirm(call, 'The account can no longer sign in, and its sessions end.');
    return onUser(call, async ({ accountState, context }, user) =>
      (await accountState.disable(context, user.id))
        ? `${user.id} is disabled.`
        : `${user.id} was disabled already.`,
    );
  },
};

export const userEnable: Verb = {
  name: 'user enable',
  summary: 'Enables a disabled account again.',
  examples: ['postern user enable ada', 'postern user enable ada@example.com'],
  arguments: [NAME],
  run: (call) =>
    onUser(call, async ({ accountState, context }, user) =>
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
    onUser(call, async ({ accountState, context }, user) => {
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
  run: async (call) => {
    await confirm(call, 'Every device of the account has to sign in again, with a new password.');
    return onUser(call, async ({ accountState, context }, user) => {
      await accountState.expirePassword(context, user.id);
      return `${user.id} has to change the password.`;
    });
  },
};

export const userLogout: Verb = {
  name: 'user logout',
  summary: 'Ends every session of an account at once.',
  examples: ['postern user logout ada', 'postern user logout ada --yes'],
  arguments: [NAME],
  options: [YES],
  run: async (call) => {
    await confirm(call, 'Every device of the account has to sign in again.');
    return onUser(call, async ({ accountState, context }, user) => {
      const ended = await accountState.signOut(context, user.id);
      return `${ended} ${ended === 1 ? 'session' : 'sessions'} of ${user.id} ended.`;
    });
  },
};
