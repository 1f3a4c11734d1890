/** Reads the `[external.NAME]` sections, and writes them as TOML. */
import { isP256Key } from '../crypto/pem.ts';
import { externalSchema, providerFault } from '../features/external/config.ts';
import type { ProviderSettings } from '../features/external/config.ts';
import { settingRegistry } from '../lib/setting-registry.ts';
import { formatRaw } from './fault.ts';
import type { SectionKind } from './named-sections.ts';

export const EXTERNAL: SectionKind<typeof externalSchema> = {
  table: 'external',
  schema: externalSchema,
  isName: (name) => /^[a-z][a-z0-9-]{0,31}$/.test(name),
  nameRule: 'The name of a provider is part of its URL: small letters, digits and hyphens.',
  example: '[external.google]',
  examples: { client_ids: ['1234567890-abc.apps.googleusercontent.com'] },
  fault: (name, settings) => providerFault(name, settings) ?? keyFault(name, settings),
};

function keyFault(name: string, { private_key: key }: ProviderSettings): string | undefined {
  return key === undefined || isP256Key(key)
    ? undefined
    : `external.${name}.private_key is no P-256 key in PEM. Write private_key_file = "AuthKey_….p8", the file that Apple made.`;
}

const isSecret = (key: string): boolean => {
  const setting = Object.entries(externalSchema.shape).find(([name]) => name === key)?.[1];
  return setting !== undefined && settingRegistry.get(setting)?.secret === true;
};

function settingLine(key: string, value: string | boolean | readonly string[] | undefined): string {
  if (value === undefined) return `# ${key} is not set`;
  return isSecret(key) ? `# ${key} = [set]` : `${key} = ${formatRaw(value)}`;
}

/** The providers as TOML. */
export function externalToml(providers: ReadonlyMap<string, ProviderSettings>): readonly string[] {
  return [...providers].flatMap(([name, settings]) => [
    `[external.${name}]`,
    ...Object.entries(settings).map(([key, value]) => settingLine(key, value)),
    '',
  ]);
}
