/** The `[audiences."…"]` sections: services with tokens of their own (RFC 8707). */
import { formatDuration } from '../lib/duration.ts';
import { audienceSchema } from './audience-settings.ts';
import type { AudienceSettings } from './audience-settings.ts';
import { formatRaw } from './fault.ts';
import type { SectionKind } from './named-sections.ts';

export const AUDIENCES: SectionKind<typeof audienceSchema> = {
  table: 'audiences',
  schema: audienceSchema,
  isName: isAudienceName,
  nameRule: 'An audience is an absolute URI without a fragment (RFC 8707).',
  example: '[audiences."https://billing.example.com"]',
};

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
