/**
 * config.example.toml and docs/configuration.md are made from the schema, and what they say is so.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { configurationPage, exampleConfig } from '../../src/config/example.ts';
import { SETTINGS } from '../../src/config/schema.ts';
import { parse } from './given.ts';

const fileOf = (path: string): string =>
  readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

describe('config.example.toml', () => {
  it('is what the schema makes (node scripts/write-docs.mjs)', () => {
    expect(fileOf('config.example.toml')).toBe(exampleConfig());
  });

  it('changes nothing as it stands, nor with every default uncommented', () => {
    const uncommented = exampleConfig().replace(/^#(?=\S)/gm, '');
    expect(parse(exampleConfig()).config).toEqual(parse().config);
    const parsed = parse(uncommented);
    expect(parsed.config).toEqual(parse().config);
    const withDefault = [...SETTINGS.values()].filter(
      ({ defaultValue, secret }) => defaultValue !== undefined && !secret,
    );
    expect([...parsed.origins].filter(([, { isSet }]) => isSet).map(([key]) => key)).toEqual(
      withDefault.map(({ key }) => key),
    );
  });

  it('has a sentence, the variable and a spelling for each setting', () => {
    for (const { sentence, env, name } of SETTINGS.values()) {
      expect(sentence).toMatch(/^[A-Z].*\.$/);
      expect(exampleConfig()).toContain(sentence);
      expect(exampleConfig()).toContain(env);
      expect(exampleConfig()).toMatch(new RegExp(`^#(?:.* )?${name}(?:_file)? = `, 'm'));
    }
  });

  it('its examples are taken', () => {
    expect(
      parse('[server]\npublic_url = "https://auth.example.com"\n[mail]\ntransports = ["file"]')
        .config.server.public_url,
    ).toBe('https://auth.example.com');
  });
});

describe('docs/configuration.md', () => {
  it('is what the schema makes (node scripts/write-docs.mjs)', () => {
    expect(fileOf('docs/configuration.md')).toBe(configurationPage());
  });

  it('has one row for each setting', () => {
    const rows = configurationPage().match(/^\| `[a-z_]+(?:\.[a-z_]+)+` \|/gm) ?? [];
    expect(rows).toHaveLength(SETTINGS.size);
  });
});
