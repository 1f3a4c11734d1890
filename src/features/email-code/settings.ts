/** Shared by the operations of this feature. */
import type { CodeForm } from '../../core/one-time/code.ts';
import type { CookiePolicy } from '../../http/token-transport.ts';

export interface EmailCodeSettings {
  readonly form: CodeForm;
  /** How long a code is valid, milliseconds. */
  readonly ttlMs: number;
  /** Whether a code to an address without an account creates one. */
  readonly autoRegister: boolean;
  /** The page that links lead to; null without links. */
  readonly linkPage: string | null;
  readonly cookies: CookiePolicy;
}
