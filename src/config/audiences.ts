/**
 * The `[audiences."…"]` sections: services with tokens of their own (RFC 8707). The operator
 * chooses their names, so they can't be environment variables and must be in the file.
 */
import { guess } from '../lib/guess.ts';
import { settingRegistry } from '../lib/setting-registry.ts';
import { audienceSchema } from './audience-settings.ts';
import type { AudienceSettings } from './audience-settings.ts';
import { formatRaw, explainRefused } from './fault.ts';
import type { ConfigFault, Source } from './fault.ts';
import { formatDuration } from '../lib/duration.ts';
import { isTable } from './toml-table.ts';

export interface ReadAudiences {
  readonly audiences: ReadonlyMap<string, AudienceSettings>;
  readonly faults: readonly ConfigFault[];
}

export const NO_AUDIENCES: ReadAudiences = { audiences: new Map(), faults: [] };

/** The position of a key or value in the file. */
type Place = (name: string, of: 'key' | 'value') => Source;

/** Reads the table `audiences` of a file. */
export function readAudiences(table: unknown, place: Place): ReadAudiences {
  const audiences = new Map<string, AudienceSettings>();
  const faults: ConfigFault[] = [];
  if (!isTable(table)) {
    const message = 'audiences is a section. Write [audiences."https://billing.example.com"].';
    return { audiences, faults: [{ source: place('audiences', 'key'), message }] };
  }
  for (const [name, settings] of Object.entries(table)) {
    const found = audienceFaults(name, settings, place);
    faults.push(...found);
    if (found.length === 0) audiences.set(name, audienceSchema.parse(settings));
  }
  return { audiences, faults };
}

function audienceFaults(name: string, settings: unknown, place: Place): readonly ConfigFault[] {
  const source = place(`audiences.${name}`, 'key');
  const written = `audiences.${JSON.stringify(name)}`;
  if (!isAudienceName(name)) {
    const message =
      'An audience is an absolute URI without a fragment (RFC 8707). Write [audiences."https://billing.example.com"].';
    return [{ source, message }];
  }
  if (!isTable(settings))
    return [
      { source, message: `${written} is a section. Write [${written}] on a line of its own.` },
    ];
  return Object.entries(settings).flatMap(([key, raw]) => {
    const schema = Object.entries(audienceSchema.shape).find(([known]) => known === key)?.[1];
    if (schema === undefined) {
      const meant = guess(key, Object.keys(audienceSchema.shape));
      const hint = meant === undefined ? '' : ` Did you mean ${meant}?`;
      const message = `${written} has a setting that does not exist.${hint}`;
      return [{ source: place(`audiences.${name}.${key}`, 'key'), message }];
    }
    const refusals = settingRegistry.get(schema)?.refusals(raw) ?? [];
    const at = place(`audiences.${name}.${key}`, 'value');
    return refusals.map((refusal) => ({
      source: at,
      message: explainRefused(`${written}.${key}`, raw, refusal),
    }));
  });
}

/** An absolute URI without a fragment (RFC 8707 §2), in the one spelling that is compared. */
function isAudienceName(name: string): boolean {
  return (
    name.length <= 200 &&
    /^[a-z][a-z0-9+.-]*:[\x21\x23-\x5b\x5d-\x7e]+$/.test(name) &&
    !name.includes('#')
  );
}

/** The audiences as TOML. */
export function audiencesToml(audiences: ReadonlyMap<string, AudienceSettings>): readonly string[] {
  return [...audiences].flatMap(([name, { ttl, claims, scopes }]) => [
    `[audiences.${JSON.stringify(name)}]`,
    `ttl = ${formatRaw(formatDuration(ttl))}`,
    `claims = ${formatRaw(claims)}`,
    `scopes = ${formatRaw(scopes)}`,
    '',
  ]);
}

/** The text of the example file and the reference page about these sections. */
export function audienceLines(): readonly (readonly [name: string, text: string, value: string])[] {
  return Object.entries(audienceSchema.shape).map(([name, schema]) => {
    const meta = settingRegistry.get(schema);
    if (meta?.defaultValue === undefined) throw new Error(`audiences: ${name} has no metadata`);
    return [name, `${meta.sentence} (${meta.unit})`, formatRaw(meta.defaultValue)];
  });
}
