/**
 * The kernel, which every feature is given. It has no configuration (a feature closes over its own
 * section) and all mutable state of the process: two apps in one process share nothing.
 */
import type { PasswordHasher } from '../crypto/password-hasher.ts';
import type { Sealer } from '../crypto/seal.ts';
import type { Database } from '../db/database.ts';
import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/id.ts';
import type { Log } from '../lib/log.ts';
import type { Metrics } from '../lib/metrics.ts';
import type { ApiKeys } from './api-key/api-keys.ts';
import type { Attempts } from './attempt/attempts.ts';
import type { Commit } from './commit.ts';
import type { CreateContext } from './context.ts';
import type { Emails } from './email/emails.ts';
import type { Authenticating } from './factor/authentication.ts';
import type { Challenges } from './factor/challenge.ts';
import type { Factors } from './factor/factors.ts';
import type { MfaPolicy } from './factor/factor.ts';
import type { FindPendingSignIn } from './factor/pending-sign-in.ts';
import type { Reauthenticating } from './factor/reauthentication.ts';
import type { SignInMethods } from './factor/sign-in-methods.ts';
import type { Limits } from './limit/limits.ts';
import type { OneTimes } from './one-time/one-time.ts';
import type { Passwords } from './password/passwords.ts';
import type { SendResetLink } from './password/reset-link.ts';
import type { RefreshSession } from './session/refresh.ts';
import type { Sessions } from './session/sessions.ts';
import type { SigningKeys } from './signing-key/signing-key.ts';
import type { Sms } from './sms/sms.ts';
import type { Storage } from './storage/storage.ts';
import type { AccessTokens } from './token/access-token.ts';
import type { DeviceTokens } from './token/device-token.ts';
import type { Audiences } from './token/audience.ts';
import type { ServiceTokens } from './token/service-token.ts';
import type { StatusLists } from './token/status-list.ts';
import type { AccountState } from './user/account-state.ts';

export interface Kernel {
  /** For reading; `commit` writes. */
  readonly db: Pick<Database, 'read'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  /** UUIDv7 texts, increasing. */
  readonly newId: () => string;
  /** Issuer of every token: the public URL. */
  readonly issuer: string;
  readonly sealer: Sealer;
  readonly signingKeys: SigningKeys;
  readonly accessTokens: AccessTokens;
  readonly serviceTokens: ServiceTokens;
  readonly audiences: Audiences;
  readonly statusLists: StatusLists;
  readonly deviceTokens: DeviceTokens;
  readonly passwordHasher: PasswordHasher;
  readonly passwords: Passwords;
  readonly attempts: Attempts;
  readonly apiKeys: ApiKeys;
  /** Limits per client for costly routes. */
  readonly limits: Limits;
  readonly oneTimes: OneTimes;
  readonly challenges: Challenges;
  readonly sessions: Sessions;
  readonly storage: Pick<Storage, 'lostAt'>;
  readonly refreshSession: RefreshSession;
  readonly emails: Emails;
  /** Null where no text messages are sent. */
  readonly sms: Sms | null;
  readonly sendResetLink: SendResetLink;
  readonly factors: Factors;
  readonly signInMethods: SignInMethods;
  readonly mfa: MfaPolicy;
  readonly authentication: Authenticating;
  readonly reauthentication: Reauthenticating;
  readonly findPendingSignIn: FindPendingSignIn;
  readonly accountState: AccountState;
  /** The tags of migrations that the database has not applied. */
  readonly pendingMigrations: () => Promise<readonly string[]>;
  /** The only way for features to write. */
  readonly commit: Commit;
  readonly context: CreateContext;
}
