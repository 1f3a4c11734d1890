/** Shared by the operations of this feature. */
import type { CodeForm } from '../../core/one-time/code.ts';
import type { Sms } from '../../core/sms/sms.ts';
import type { CookiePolicy } from '../../http/token-transport.ts';

/** What a code may be sent to, and by what. */
export interface Channels {
  readonly email: boolean;
  /** Null where no codes are sent as text messages. */
  readonly sms: Sms | null;
}

export interface OtpSettings {
  readonly form: CodeForm;
  /** How long a code is valid, milliseconds. */
  readonly ttlMs: number;
  /** Whether a code to an address or number without an account creates one. */
  readonly autoRegister: boolean;
  /** The page that links lead to; null without links. */
  readonly linkPage: string | null;
  readonly cookies: CookiePolicy;
}
