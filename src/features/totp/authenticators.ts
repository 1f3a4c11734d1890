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
  `totp.enrolment:${user.id}:${session.id}:${user.epoch}`;
