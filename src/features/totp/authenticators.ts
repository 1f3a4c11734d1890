/** Shared by the operations of this feature: the settings, and how seeds are sealed. */
import type { Principal } from '../../core/session/session.ts';

export interface TotpSettings {
  readonly enabled: boolean;
  /** The name that the app shows beside the account. */
  readonly issuer: string;
  /** Accepted steps on each side of the current one: 1, or 0 when strict (D3). */
  readonly window: 0 | 1;
}

/** The factor's name in sessions and emails. */
export const PRESENTED = { factor: 'totp', kind: 'device', amr: ['otp'] } as const;
export const LABEL = 'an authenticator app';

/** The place (for sealing) of a confirmed seed. */
export const sealPurpose = (userId: string): string => `totp.secret:${userId}`;

/**
 * The place of an unconfirmed seed: only the session to which it was shown can confirm it, in the
 * same state of the account (G8, G9).
 */
export const enrolmentPurpose = ({ user, session }: Principal): string =>
  enrolmentPlace({ userId: user.id, sessionId: session.id, epoch: user.epoch });

export const enrolmentPlace = (to: {
  readonly userId: string;
  readonly sessionId: string;
  readonly epoch: number;
}): string => `totp.enrolment:${to.userId}:${to.sessionId}:${to.epoch}`;
