/** Configuration rules that depend on the list of features. */
import type { Config } from '../config/schema.ts';
import type { Rule } from '../config/rule.ts';
import type { Feature } from '../features/feature.ts';

/**
 * If a second factor is required of everybody, users must be able to enrol one: otherwise nobody
 * could sign in after the grace.
 */
function missingSecondFactor(config: Config, features: readonly Feature[]): string | undefined {
  if (config.mfa.required !== 'all' || config.server.public_url === '') return undefined;
  const offered = features.flatMap(({ secondFactor }) => secondFactor ?? []);
  if (offered.some((factor) => factor.isUsable(config))) return undefined;
  const remedies = offered.map(({ remedy }) => remedy).join(', or ');
  return `mfa.required is all, but users can enrol no second factor: each is off, or browsers could not use it at server.public_url. Write ${remedies}.`;
}

export function featureRules(features: readonly Feature[]): readonly Rule[] {
  return [
    {
      keys: ['mfa.required', 'totp.enabled', 'passkeys.enabled', 'passkeys.rp_id'],
      fault: (config) => missingSecondFactor(config, features),
    },
  ];
}
