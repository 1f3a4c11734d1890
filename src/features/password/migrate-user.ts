/** Taking a user over from the old system, in the sign-in whose password it confirmed. */
import type { Context } from '../../core/context.ts';
import { unique } from '../../core/guards.ts';
import type { Kernel } from '../../core/kernel.ts';
import { insertPassword } from '../../core/password/credential.ts';
import { hashJob } from '../../core/password/passwords.ts';
import type { RightPassword } from '../../core/password/passwords.ts';
import { normalizePassword } from '../../core/password/policy.ts';
import { setExternalId } from '../../core/user/external-id.ts';
import { demandEmail, demandUsername, parseSignInName } from '../../core/user/sign-in-name.ts';
import { insertUser, newUser } from '../../core/user/user.ts';
import type { User } from '../../core/user/user.ts';
import type { Statement } from '../../db/database.ts';
import { Refusal } from '../../refusal.ts';
import { unavailable } from './legacy.ts';
import type { Legacy, LegacyUser } from './legacy.ts';

export interface LegacyAttempt {
  readonly user: User | null;
  readonly username: string;
  readonly password: string;
  /** The share of the hash queue. */
  readonly share: string;
}

type Migrated = Pick<RightPassword, 'user' | 'isTooOld' | 'upgrade'> & {
  readonly isMigrated: true;
};

/** A method that only means that an address is verified. */
const MAILBOX = 'email_code';

interface NewNames {
  readonly username: string | null;
  readonly usernameCanonical: string | null;
  readonly email: string | null;
  readonly emailCanonical: string | null;
}

/**
 * The names of the account, of which the typed one must be one: otherwise the next sign-in would not
 * find it.
 *
 * @throws {Refusal} invalid_request: a name that nobody can have here
 */
function namesOf(typed: string, said: LegacyUser): NewNames | null {
  const name = parseSignInName(typed);
  const username = said.username ?? (name.kind === 'username' ? typed : null);
  const email = said.email_verified === true ? (said.email ?? null) : null;
  const names = {
    username,
    usernameCanonical: username === null ? null : demandUsername(username),
    email,
    emailCanonical: email === null ? null : demandEmail(email),
  };
  const isTyped = [names.usernameCanonical, names.emailCanonical].includes(name.canonical);
  return isTyped ? names : null;
}

export function migrateUser(kernel: Kernel, legacy: Legacy) {
  const { clock, signInMethods, passwordHasher } = kernel;

  /** Whether nobody can sign in to the account yet. */
  async function isUnclaimed({ id, anonymousAt }: User): Promise<boolean> {
    if (anonymousAt !== null) return false;
    return (await signInMethods.ofUser(id)).every((name) => name === MAILBOX);
  }

  function create(typed: string, said: LegacyUser) {
    const names = namesOf(typed, said);
    if (names === null) throw new Error('its answer does not have the name that was asked for');
    const { username, email } = names;
    const now = clock.now();
    const displayName = said.display_name ?? null;
    const user = newUser({ id: kernel.newId(), createdAt: now, username, email, displayName });
    const externalId = said.external_id;
    const statements: readonly Statement[] = [
      insertUser(user, { ...names, pendingEmailCanonical: null }, 'conflict'),
      ...(externalId === undefined ? [] : [setExternalId(user.id, externalId, now)]),
    ];
    return { user, statements };
  }

  /** @throws {Refusal} provider_unavailable: an answer that no account can be made of */
  function accountOf({ user, username }: LegacyAttempt, said: LegacyUser) {
    if (user !== null) return { user, statements: [] };
    try {
      return create(username, said);
    } catch (error) {
      kernel.log.write(
        'error',
        'legacy.unavailable',
        'an answer of password.legacy_url was unusable',
        {
          reason: error instanceof Refusal ? 'a name that nobody can have here' : 'another name',
        },
      );
      throw unavailable(error);
    }
  }

  async function ask(attempt: LegacyAttempt) {
    const said = await legacy.ask(attempt.username, attempt.password);
    return said === null ? null : accountOf(attempt, said);
  }

  /**
   * What to commit with the sign-in; null if the pair is wrong there too, or it may not be asked. A
   * {Refusal} provider_unavailable is returned, because such an attempt stays counted.
   *
   * Its function throws {Refusal} overloaded.
   */
  return async (context: Context, attempt: LegacyAttempt): Promise<Migrated | Refusal | null> => {
    const { user, password, share } = attempt;
    const normalized = normalizePassword(password);
    if (!legacy.isOn || normalized === null) return null;
    if (user !== null && !(await isUnclaimed(user))) return null;
    const account = await ask(attempt).catch((error: unknown) => {
      if (error instanceof Refusal && error.code === 'provider_unavailable') return error;
      throw error;
    });
    if (account === null || account instanceof Refusal) return account;
    const passwordHash = await passwordHasher.hash(normalized, hashJob(context, share));
    const stored = insertPassword({ userId: account.user.id, passwordHash, now: clock.now() });
    return {
      isMigrated: true,
      user: account.user,
      isTooOld: false,
      upgrade: [...account.statements, unique(stored, 'conflict')],
    };
  };
}
