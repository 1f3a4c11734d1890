/** The `[audiences."…"]` sections: read, refused, shown, and in the example. */
import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { exampleConfig } from '../../src/config/example.ts';
import { parseConfig } from '../../src/config/parse.ts';
import type { ParsedConfig } from '../../src/config/parse.ts';
import { showToml } from '../../src/config/show.ts';

const KEY = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString();

const parse = (text: string): ParsedConfig =>
  parseConfig({
    file: { path: 'a.toml', text, isReadableByOthers: false },
    env: {},
    readSecretFile: (path) => ({
      text: path.endsWith('private_key') ? KEY : 'of-a-provider',
      isReadableByOthers: false,
    }),
  });

const GOOD = `[audiences."https://billing.example.com"]
ttl = "5m"
claims = ["roles"]
scopes = ["invoices:read"]

[audiences."urn:example:chat"]
`;

describe('audiences', () => {
  test('are read with their defaults', () => {
    expect([...parse(GOOD).config.audiences]).toEqual([
      [
        'https://billing.example.com',
        { ttl: 300_000, claims: ['roles'], scopes: ['invoices:read'] },
      ],
      ['urn:example:chat', { ttl: 900_000, claims: [], scopes: [] }],
    ]);
  });

  test('are shown as they would be written', () => {
    const shown = showToml(parse(GOOD), { origins: 'without' });
    expect([...parse(shown).config.audiences]).toEqual([...parse(GOOD).config.audiences]);
  });

  test.each([
    ['audiences = 1', 'a.toml:1:1  audiences is a section'],
    ['[audiences.billing]', 'a.toml:1:1  An audience is an absolute URI without a fragment'],
    ['[audiences."https://a.example.com/#x"]', 'An audience is an absolute URI'],
    [
      '[audiences]\n"https://a.example.com" = 1',
      'a.toml:2:1  audiences."https://a.example.com" is a section',
    ],
    [
      '[audiences."urn:a"]\nttl = "1h"',
      'a.toml:2:7  audiences."urn:a".ttl is "1h", which is more than 15m',
    ],
    [
      '[audiences."urn:a"]\nclaim = []',
      'a.toml:2:1  audiences."urn:a" has a setting that does not exist. Did you mean claims?',
    ],
    ['[audiences."urn:a"]\nscopes = ["a b"]', 'audiences."urn:a".scopes has "a b". Write a scope'],
    ['[audiences."urn:a"]\nclaims = ["roles", "roles"]', 'which is listed twice'],
    ['[tokens]\naudience = "urn:a"\n[audiences."urn:a"]', 'which is tokens.audience'],
  ])('%j is refused', (text, message) => {
    expect(() => parse(text)).toThrow(message);
  });

  test('the example of the example file can be taken as it stands', () => {
    const example = exampleConfig().split('\n');
    const start = example.findIndex((line) => line.startsWith('# [audiences.'));
    const text = example
      .slice(start)
      .map((line) => line.replace(/^# (?=\[|[a-z_]+ = )/, ''))
      .join('\n');
    const { audiences, external } = parse(text).config;
    expect([...audiences.keys()]).toEqual(['https://billing.example.com']);
    expect([...external.keys()]).toEqual(['google']);
  });
});
