/** The checks of `postern doctor`, and their results. */
import type { LoadedConfig } from './load-config.ts';
import type { VerbCall } from './verb.ts';

export interface Finding {
  readonly status: 'ok' | 'warn' | 'fail';
  /** What was found. */
  readonly fact: string;
  /** What to do about it; whole sentences. */
  readonly remedy?: string;
}

export interface Check {
  /** Kebab case, stable. */
  readonly name: string;
  /** An exception counts as a failed check too. */
  readonly look: () => Finding | Promise<Finding>;
}

export interface Patient extends LoadedConfig {
  readonly call: VerbCall;
  /** The database's file; null for a database on a server. */
  readonly file: string | null;
}

export const ok = (fact: string): Finding => ({ status: 'ok', fact });
export const warn = (fact: string, remedy: string): Finding => ({ status: 'warn', fact, remedy });
export const fail = (fact: string, remedy: string): Finding => ({ status: 'fail', fact, remedy });
