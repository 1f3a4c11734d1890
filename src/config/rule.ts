/** The interface of a rule about a combination of settings. */
import type { Config } from './schema.ts';

export interface Rule {
  /** The settings that it reads; the fault is reported at the first one that was set. */
  readonly keys: readonly string[];
  /** A warning does not stop the start. */
  readonly isWarning?: boolean;
  /** The fault in whole sentences, or undefined. Receives the keys that were set explicitly. */
  readonly fault: (config: Config, isSet: (key: string) => boolean) => string | undefined;
}
