/**
 * What verbs on one account share: the account is looked up first, then the question names whom it
 * is about, and only then something happens.
 */
import { contextOf, operatorCommit } from './operator-commit.ts';
import { attemptLimits } from '../app/policies.ts';
import type { Config } from '../config/schema.ts';
import { createAttempts } from '../core/attempt/attempts.ts';
import type { Context } from '../core/context.ts';
import type { Kernel } from '../core/kernel.ts';
import { listSessions } from '../core/session/session.ts';
import { createAccountState, findUserByAnyName } from '../core/user/account-state.ts';
import type { AccountState } from '../core/user/account-state.ts';
import { findListedUser, listClaimants } from '../core/user/search.ts';
import type { ListedUser } from '../core/user/search.ts';
import type { Database } from '../db/database.ts';
import type { OpenDatabase } from '../db/open.ts';
import { adminSettings } from '../features/admin/settings.ts';
import type { AdminSettings } from '../features/admin/settings.ts';
import { canonicalEmail } from '../lib/email-address.ts';
import type { Log } from '../lib/log.ts';
import { explainRefusal } from './claims-option.ts';
import { confirmAct } from './confirm.ts';
import { CliRefusal, EXIT } from './exit.ts';
import type { ExitCode } from './exit.ts';
import { operatorLog } from './operator-log.ts';
import { withDatabase } from './state.ts';
import type { VerbCall } from './verb.ts';
import { SILENT, withApp } from './with-app.ts';

export const NAME = { name: '<user>', sentence: 'a username, a verified email address, or an id' };
export const YES = { flags: '--yes', sentence: 'skip the confirmation' };

/** @throws {CliRefusal} */
async function findUser(db: Pick<Database, 'read'>, name: string): Promise<ListedUser> {
  const user = await findUserByAnyName(db, name);
  const found = user === null ? null : await findListedUser(db, user.id);
  if (found !== null) return found;
  const canonical = canonicalEmail(name);
  const claimants = canonical === null ? [] : await listClaimants(db, canonical, 5);
  if (claimants.length === 0)
    throw new CliRefusal(EXIT.failed, 'there is no such user. postern user list shows them.');
  const ids = claimants.map(({ id }) => `  ${id}`).join('\n');
  throw new CliRefusal(
    EXIT.failed,
    `nobody has verified this address. These accounts claim it; use the id:\n${ids}`,
  );
}

/** An account in words, such as `carl <carl@example.com>`. */
export function nameOf({ username, email, pendingEmail }: ListedUser): string {
  const unverified = pendingEmail === null ? null : `${pendingEmail}, unverified`;
  const address = email ?? unverified;
  return [username, address === null ? null : `<${address}>`]
    .filter((part) => part !== null)
    .join(' ');
}

export const counted = (count: number, noun: string): string =>
  `${count} ${noun}${count === 1 ? '' : 's'}`;

/** The account and its sessions, such as `carl <carl@example.com> (01a2…), 3 sessions`. */
async function whom(
  db: Pick<Database, 'read'>,
  { sessions }: Config,
  { user, now }: { readonly user: ListedUser; readonly now: number },
): Promise<string> {
  const idleSince = now - sessions.idle_ttl;
  const live = await listSessions(db, { userId: user.id, now, idleSince });
  return `${nameOf(user)} (${user.id}), ${counted(live.length, 'session')}`;
}

/** The act of a question, such as `Disable`; null asks nothing. */
type Act = string | null;

async function findAndAsk(
  call: VerbCall,
  db: OpenDatabase,
  { act, config }: { readonly act: Act; readonly config: Config },
): Promise<ListedUser> {
  const user = await findUser(db, call.arguments[0] ?? '');
  if (act === null || call.has('yes')) return user;
  const now = call.context.clock.now();
  await confirmAct(call, `${act} ${await whom(db, config, { user, now })}`);
  return user;
}

/** What a verb on one account is given that needs the database alone. */
export interface Operator {
  readonly accountState: AccountState;
  readonly context: Context;
}

/**
 * What runs beside the service: it sees ended sessions in the database, and sends emails itself.
 */
function operatorOf(call: VerbCall, db: OpenDatabase, config: Config): Operator {
  const { clock, commit } = operatorCommit(call, db);
  const attempts = createAttempts({ db, clock }, attemptLimits(config));
  return {
    accountState: createAccountState({ clock, commit, attempts }),
    context: contextOf(call),
  };
}

/** Finds the user, asks, calls `work` and prints its answer. */
export function onUser(
  call: VerbCall,
  act: Act,
  work: (operator: Operator, user: ListedUser) => Promise<string>,
): Promise<ExitCode> {
  return withDatabase(call, async (db, config) => {
    const user = await findAndAsk(call, db, { act, config });
    call.output.answer(await work(operatorOf(call, db, config), user));
    return EXIT.done;
  });
}

/** What a verb is given that needs the whole service. */
export interface WholeOperator {
  readonly kernel: Kernel;
  readonly settings: AdminSettings;
  readonly context: Context;
}

/** The whole service for an operator's act. */
export function withOperator<T>(
  call: VerbCall,
  work: (operator: WholeOperator) => Promise<T>,
  log: Log = operatorLog(call.context),
): Promise<T> {
  return withApp(call, async (kernel, { config }) => {
    try {
      return await work({ kernel, settings: adminSettings(config), context: contextOf(call, log) });
    } catch (error) {
      throw explainRefusal(error);
    }
  });
}

/** The same for one account, which is looked up and asked about before the service is built. */
export async function withUser(
  call: VerbCall,
  act: Act,
  work: (operator: WholeOperator, user: ListedUser) => Promise<void>,
): Promise<ExitCode> {
  const { id } = await withDatabase(call, (db, config) => findAndAsk(call, db, { act, config }));
  const log = act === null ? SILENT : operatorLog(call.context);
  return withOperator(
    call,
    async (operator) => {
      await work(operator, await findUser(operator.kernel.db, id));
      return EXIT.done;
    },
    log,
  );
}
