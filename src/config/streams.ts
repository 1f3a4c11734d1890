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

/** The streams as TOML. */
export function streamsToml(streams: ReadonlyMap<string, StreamSettings>): readonly string[] {
  return [...streams].flatMap(([name, settings]) => [
    `[events.streams.${name}]`,
    ...Object.entries(settings).flatMap(([key, value]) =>
      value === undefined ? [`# ${key} is not set`] : [`${key} = ${formatRaw(value)}`],
    ),
    '',
  ]);
}
