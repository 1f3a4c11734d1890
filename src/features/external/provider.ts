/** One outside provider: what can be presented of it. */
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { createCodeFlow } from './code-flow.ts';
import type { CodeFlow } from './code-flow.ts';
import { createIdTokens } from './id-token.ts';
import type { IdTokens } from './id-token.ts';
import { createKept } from './kept.ts';
import { discover, fixedMetadata } from './metadata.ts';
import type { ProviderOptions } from './options.ts';

export interface Provider {
  readonly name: string;
  /** Null: it has no ID tokens (GitHub). */
  readonly idTokens: IdTokens | null;
  /** Null: codes are off for it. */
  readonly code: CodeFlow | null;
}

export function createProvider(
  options: ProviderOptions,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Provider {
  const { name, profile, code } = options;
  const deps = { clock, log, name };
  const published = createKept(deps, () => discover(options));
  const idTokens = profile === 'github' ? null : createIdTokens(options, deps, published);
  const fixed = profile === 'id_token' ? null : fixedMetadata(options);
  const metadata = fixed === null ? published : createKept(deps, () => Promise.resolve(fixed));
  return {
    name,
    idTokens,
    code: code === null ? null : createCodeFlow(options, code, { ...deps, metadata, idTokens }),
  };
}
