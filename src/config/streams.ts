/** Reads the `[events.streams.NAME]` sections, and writes them as TOML. */
import { streamFault, streamSchema } from '../features/event-stream/config.ts';
import type { StreamSettings } from '../features/event-stream/config.ts';
import { formatRaw } from './fault.ts';
import type { SectionKind } from './named-sections.ts';

export const STREAMS: SectionKind<typeof streamSchema> = {
  table: 'events.streams',
  schema: streamSchema,
  isName: (name) => /^[a-z][a-z0-9-]{0,31}$/.test(name),
  nameRule: 'The name of a stream is part of a URL: small letters, digits and hyphens.',
  example: '[events.streams.billing]',
  examples: { audience: 'https://billing.example.com' },
  fault: streamFault,
};

function settingLine(key: string, value: string | readonly string[] | undefined): string {
  if (value === undefined) return `# ${key} is not set`;
  return key === 'bearer_token' ? `# ${key} = [set]` : `${key} = ${formatRaw(value)}`;
}

/** The streams as TOML. */
export function streamsToml(streams: ReadonlyMap<string, StreamSettings>): readonly string[] {
  return [...streams].flatMap(([name, settings]) => [
    `[events.streams.${name}]`,
    ...Object.entries(settings).map(([key, value]) => settingLine(key, value)),
    '',
  ]);
}
