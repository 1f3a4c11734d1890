/** What the way in is given: capabilities and the policy that decides. */
import type { Database, Statement } from '../../db/database.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Random } from '../../lib/id.ts';
import type { Log } from '../../lib/log.ts';
import type { AccessTokens } from '../token/access-token.ts';
import type { Factor, MfaPolicy } from './factor.ts';
import type { LetterName, LetterValues } from '../email/outbox.ts';
import type { ProfileClaim } from '../user/profile-claims.ts';
import type { Requester } from '../session/requester.ts';
import type { Revocations } from '../session/revocation.ts';
import type { SessionPolicy } from '../session/session.ts';
import type { SigningKeys } from '../signing-key/signing-key.ts';
import type { ThrottlePolicy } from '../attempt/attempt.ts';

export interface AuthenticationPolicy {
  readonly issuer: string;
  readonly sessions: SessionPolicy;
  /** Milliseconds for which an authentication counts as fresh. */
  readonly freshFor: number;
  readonly mfa: MfaPolicy;
  /** Of attempts at second factors. */
  readonly throttle: ThrottlePolicy;
  readonly profileClaims: readonly ProfileClaim[];
}

export interface AuthenticationDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly newId: () => string;
  readonly keys: SigningKeys;
  readonly accessTokens: AccessTokens;
  readonly revocations: Revocations;
  readonly factors: readonly Factor[];
  /** The statements that tell a user of something; none when there is no proved address. */
  readonly tell: (
    letter: LetterName,
    address: string | null,
    values: LetterValues,
    requester: Requester,
  ) => readonly Statement[];
  readonly policy: AuthenticationPolicy;
}
