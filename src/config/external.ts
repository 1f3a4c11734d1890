/** Reads the `[external.NAME]` sections, and writes them as TOML. */
import { externalSchema, providerFault } from '../features/external/config.ts';
import type { ProviderSettings } from '../features/external/config.ts';
import { formatRaw } from './fault.ts';
import type { SectionKind } from './named-sections.ts';

export const EXTERNAL: SectionKind<typeof externalSchema> = {
  table: 'external',
  schema: externalSchema,
  isName: (name) => /^[a-z][a-z0-9-]{0,31}$/.test(name),
  nameRule: 'The name of a provider is part of its URL: small letters, digits and hyphens.',
  example: '[external.google]',
  examples: { client_ids: ['1234567890-abc.apps.googleusercontent.com'] },
  fault: providerFault,
};

/** The providers as TOML. */
export function externalToml(providers: ReadonlyMap<string, ProviderSettings>): readonly string[] {
  return [...providers].flatMap(([name, settings]) => [
    `[external.${name}]`,
    ...Object.entries(settings).flatMap(([key, value]) =>
      value === undefined ? [`# ${key} is not set`] : [`${key} = ${formatRaw(value)}`],
    ),
    '',
  ]);
}
