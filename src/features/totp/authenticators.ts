/** What the operations of this feature share: the settings, and how seeds are sealed. */
import type { Principal } from '../../core/session/session.ts';

export interface TotpSettings {
  readonly enabled: boolean;
  /** The name that the app shows beside the account. */
  readonly issuer: string;
  /** Steps beside the present one that count: 1, or 0 when it is strict (D3). */
  readonly window: 0 | 1;
}

/** The factor as sessions and emails name it. */
export const PRESENTED = { factor: 'totp', kind: 'device', amr: ['otp'] } as const;
export const LABEL = 'an authenticator app';

/** The place of a seed in force. */
export const sealPurpose = (userId: string): string => `totp.secret:${userId}`;

/**
 * The place of a seed to be confirmed: by the session that it was shown to, in that state of the
 * account, or not at all (G8, G9).
 */
export const enrolmentPurpose = ({ user, session }: Principal): string =>
  enrolmentPlace({ userId: user.id, sessionId: session.id, epoch: user.epoch });

export const enrolmentPlace = (to: {
  readonly userId: string;
  readonly sessionId: string;
  readonly epoch: number;
}): string => `totp.enrolment:${to.userId}:${to.sessionId}:${to.epoch}`;
