/** `postern user create|list`. */
import { searchUsers } from '../core/user/search.ts';
import type { ListedUser, UserSearch } from '../core/user/search.ts';
import type { Database } from '../db/database.ts';
import { createUser } from '../features/admin/create-user.ts';
import { createAccount } from '../features/registration/register-by-username.ts';
import { EXIT, usageRefusal } from './exit.ts';
import type { ExitCode } from './exit.ts';
import { withOperator } from './on-user.ts';
import { readPassword } from './read-password.ts';
import { withDatabase } from './state.ts';
import { JSON_OPTION } from './verb.ts';
import type { Verb, VerbCall } from './verb.ts';

type Row = Pick<
  ListedUser,
  'id' | 'username' | 'email' | 'pendingEmail' | 'displayName' | 'disabledAt' | 'createdAt'
>;

function row(user: Row): Record<string, unknown> {
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
  summary: [
    'Creates an account, whether or not registration is open: with a password of your choice,',
    'or by an invitation to an email address, whose owner chooses one.',
  ].join(' '),
  examples: [
    'postern user create --email ada@example.com',
    'pass show ada | postern user create --username ada --password-stdin',
  ],
  options: [
    { flags: '--username <name>', sentence: 'the name to sign in with' },
    {
      flags: '--email <address>',
      sentence: [
        'an email address: alone, or with --invite, an invitation goes there; beside a',
        'password it is pending until it is verified',
      ].join(' '),
    },
    {
      flags: '--invite',
      sentence: 'ask for no password: the invitation lets its reader choose it',
    },
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
    const email = call.text('email');
    const isInvited = call.has('invite') || username === undefined;
    if (isInvited && (email === undefined || call.has('password-stdin')))
      throw usageRefusal(
        email === undefined
          ? '--username is missing, or --email of somebody to invite'
          : 'an invitation takes no password: its reader chooses one',
        'postern user create --help',
      );
    if (isInvited) return invited(call);
    const password = await readPassword(call);
    return withOperator(call, async ({ kernel, context }) => {
      const user = await createAccount(kernel)(context, {
        username,
        email,
        password,
        displayName: call.text('display-name'),
        userMetadata: undefined,
      });
      const event = { 'user.id': user.id };
      context.log.write('info', 'user.created', 'an account was made by an operator', event);
      if (call.has('json')) call.output.answerJson(row(user));
      else call.output.answer(user.id);
      return EXIT.done;
    });
  },
};

function invited(call: VerbCall): Promise<ExitCode> {
  return withOperator(call, async ({ kernel, settings, context }) => {
    const user = await createUser(kernel, settings)(context, {
      username: call.text('username'),
      email: call.text('email'),
      displayName: call.text('display-name'),
      userMetadata: undefined,
      externalId: undefined,
      claims: undefined,
    });
    if (call.has('json')) call.output.answerJson(row(user));
    else call.output.answer(user.id);
    call.output.progress(`An invitation goes to ${user.pendingEmail}; the service sends it.`);
    return EXIT.done;
  });
}

const PAGE = 500;

export const userList: Verb = {
  name: 'user list',
  summary: 'Lists the accounts, oldest first; or those whose name begins with a text.',
  examples: ['postern user list --search ad', 'postern user list --json | jq -r .username'],
  options: [
    {
      flags: '--search <text>',
      sentence: 'only accounts whose username or verified address begins with it',
    },
    { flags: '--disabled', sentence: 'only disabled accounts' },
    JSON_OPTION,
  ],
  run: (call) =>
    withDatabase(call, async (db) => {
      let count = 0;
      const prefix = call.text('search');
      const disabled = call.has('disabled') ? true : undefined;
      for await (const user of everyUser(db, { prefix, disabled })) {
        count += 1;
        if (call.has('json')) call.output.answerJson(row(user));
        else call.output.answer(lineOf(user));
      }
      if (!call.has('json'))
        call.output.progress(`${count} ${count === 1 ? 'account' : 'accounts'}`);
      return EXIT.done;
    }),
};

/** Every user of a search, of whom only a page at a time is in memory. */
async function* everyUser(
  db: Pick<Database, 'read'>,
  search: Pick<UserSearch, 'prefix' | 'disabled'>,
): AsyncGenerator<ListedUser> {
  let cursor: string | null | undefined;
  while (cursor !== null) {
    const page = await searchUsers(db, { ...search, limit: PAGE, cursor });
    yield* page.users;
    cursor = page.nextCursor;
  }
}

function lineOf(user: ListedUser): string {
  const pending = user.pendingEmail === null ? '-' : `${user.pendingEmail} (pending)`;
  const name = (user.username ?? '-').padEnd(24);
  const email = (user.email ?? pending).padEnd(32);
  return `${user.id}  ${name}  ${email}  ${user.disabledAt === null ? '' : 'disabled'}`.trimEnd();
}
