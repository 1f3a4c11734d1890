/** Starting to enrol an authenticator app. */
import type { PrincipalContext } from '../../core/context.ts';
import type { Kernel } from '../../core/kernel.ts';
import { enrolmentPurpose } from './authenticators.ts';
import type { TotpSettings } from './authenticators.ts';
import { SECRET_BYTES, base32, otpauthUri } from './code.ts';
import { insertEnrolment } from './store.ts';

/** An enrolment that is not confirmed in this time is void. */
const ENROLMENT_TTL_MS = 3_600_000;

export interface Enrolment {
  /** Base 32, for typing. */
  readonly secret: string;
  readonly otpauthUri: string;
}

/**
 * Starts an enrolment. It has no effect until it is confirmed; a confirmed authenticator stays in
 * use until then (O03).
 *
 * Its function throws {Refusal} session_revoked.
 */
export function beginEnrolment(kernel: Kernel, { issuer }: TotpSettings) {
  return async (context: PrincipalContext): Promise<Enrolment> => {
    const { user } = context.principal;
    const bytes = kernel.random.bytes(SECRET_BYTES);
    const now = kernel.clock.now();
    await kernel.commit(context, [
      insertEnrolment({
        userId: user.id,
        secretSealed: kernel.sealer.seal(enrolmentPurpose(context.principal), bytes),
        now,
        expiresAt: now + ENROLMENT_TTL_MS,
      }),
    ]);
    const secret = base32(bytes);
    const account = user.username ?? user.email ?? user.id;
    return { secret, otpauthUri: otpauthUri({ issuer, account, secret }) };
  };
}
