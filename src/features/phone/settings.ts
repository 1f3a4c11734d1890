/** Shared by the operations of this feature. */
import type { CodeForm } from '../../core/one-time/code.ts';

export interface PhoneSettings {
  readonly form: CodeForm;
  /** How long a code is valid, milliseconds. */
  readonly ttlMs: number;
}
