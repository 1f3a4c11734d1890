/** A user as operators see one: everything that says why somebody can't sign in. */
import type { AttemptCounter } from '../../core/attempt/attempts.ts';
import type { Context } from '../../core/context.ts';
import { listWaiting } from '../../core/email/outbox.ts';
import type { OutboxEntry } from '../../core/email/outbox.ts';
import type { Factor } from '../../core/factor/factor.ts';
import type { Kernel } from '../../core/kernel.ts';
import { findPassword } from '../../core/password/credential.ts';
import type { Session } from '../../core/session/session.ts';
import type { ListedUser } from '../../core/user/search.ts';
import { signInNameOf } from '../../core/user/user.ts';

/** What stands between a user and a sign-in. */
export const OBSTACLES = [
  'disabled',
  'no_sign_in_name',
  'no_first_factor',
  'password_change_required',
  'locked',
  'waiting',
  'mfa_enrolment_overdue',
] as const;
type Obstacle = (typeof OBSTACLES)[number];

export interface ShownUser {
  readonly user: ListedUser;
  readonly obstacles: readonly Obstacle[];
  /** Null when there is no password. */
  readonly passwordChangedAt: number | null;
  readonly hasSecondFactor: boolean;
  /** The names of the factors that the user has. */
  readonly enrolled: readonly string[];
  /** The listing of each factor, as GET /me/factors has it. */
  readonly factors: Readonly<Record<string, unknown>>;
  readonly sessions: readonly Session[];
  readonly counters: readonly AttemptCounter[];
  /** Emails that wait or were given up, the oldest first. */
  readonly emails: readonly OutboxEntry[];
}

/** Emails to an address that is only claimed may be its owner's: these are the claimant's. */
const OF_CLAIMS: ReadonlySet<string> = new Set(['invitation', 'verify_address']);

/** Emails and text messages that wait for a user. */
export async function waitingEmails(
  { db, emails }: Pick<Kernel, 'db' | 'emails'>,
  { email, pendingEmail, phone }: Pick<ListedUser, 'email' | 'pendingEmail' | 'phone'>,
): Promise<readonly OutboxEntry[]> {
  const to = async (address: string | null): Promise<readonly OutboxEntry[]> =>
    address === null ? [] : listWaiting(db, emails.keyOf(address));
  const claimed = await to(pendingEmail);
  const own = [...(await to(email)), ...(await to(phone))];
  return [...own, ...claimed.filter(({ template }) => OF_CLAIMS.has(template))];
}

/** What each active factor shows of a user. */
async function factorListings(
  { factors }: Pick<Kernel, 'factors'>,
  user: ListedUser,
): Promise<Readonly<Record<string, unknown>>> {
  const listings = await Promise.all(factors.listings.map((listing) => listing.list(user)));
  return Object.assign({}, ...listings);
}

async function enrolledFactors(
  { factors: { active } }: Pick<Kernel, 'factors'>,
  userId: string,
): Promise<readonly Factor[]> {
  const enrolled = await Promise.all(active.map((factor) => factor.enrolled(userId)));
  return active.filter((_, at) => enrolled[at] === true);
}

/** Counters that stand before a sign-in; others stand before a change. */
const AT_SIGN_IN: ReadonlySet<string> = new Set(['password', 'second_factor']);

function obstaclesOf(
  { user, counters }: Pick<ShownUser, 'user' | 'counters'>,
  isMissing: Readonly<Record<'name' | 'factor' | 'enrolment', boolean>>,
): readonly Obstacle[] {
  // A device's own counter stops that device alone.
  const common = counters.filter(
    ({ purpose, scope }) => AT_SIGN_IN.has(purpose) && scope === 'anybody',
  );
  const isLocked = common.some((counter) => counter.isLocked);
  const holds: Readonly<Record<Obstacle, boolean>> = {
    disabled: user.disabledAt !== null,
    no_sign_in_name: isMissing.name,
    no_first_factor: isMissing.factor,
    password_change_required: user.passwordChangeRequiredAt !== null,
    locked: isLocked,
    waiting: !isLocked && common.some(({ blockedUntil }) => blockedUntil !== null),
    mfa_enrolment_overdue: isMissing.enrolment,
  };
  return OBSTACLES.filter((name) => holds[name]);
}

/** Looks a user up in whole. */
export function showUser(kernel: Kernel) {
  const { db, attempts, sessions, mfa, clock } = kernel;
  return async (_context: Context, user: ListedUser): Promise<ShownUser> => {
    const { id } = user;
    const [password, live, counters, emails, listings, enrolled, methods] = await Promise.all([
      findPassword(db, id),
      sessions.list(id),
      attempts.ofUser(id),
      waitingEmails(kernel, user),
      factorListings(kernel, user),
      enrolledFactors(kernel, id),
      kernel.signInMethods.ofUser(id),
    ]);
    const hasSecondFactor = enrolled.some(({ demandsSecond }) => demandsSecond);
    const isDue = user.mfaDueAt !== null && user.mfaDueAt <= clock.now();
    const obstacles = obstaclesOf(
      { user, counters },
      {
        name: signInNameOf(user) === undefined && methods.length === 0,
        factor: methods.length === 0,
        enrolment: mfa.required === 'all' && !hasSecondFactor && isDue,
      },
    );
    const passwordChangedAt = password?.changedAt ?? null;
    return {
      user,
      obstacles,
      passwordChangedAt,
      hasSecondFactor,
      enrolled: enrolled.map(({ name }) => name),
      factors: listings,
      sessions: live,
      counters,
      emails,
    };
  };
}
