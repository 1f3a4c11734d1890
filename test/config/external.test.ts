/** The `[external.NAME]` sections: read, refused and shown. */
import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/config/parse.ts';
import type { ParsedConfig } from '../../src/config/parse.ts';
import { showToml } from '../../src/config/show.ts';
import { readProvider } from '../../src/features/external/config.ts';

const parse = (text: string): ParsedConfig =>
  parseConfig({
    file: { path: 'a.toml', text, isReadableByOthers: false },
    env: {},
    readSecretFile: () => ({ text: '', isReadableByOthers: false }),
  });

const GOOD = `[external.google]
client_ids = ["a.apps.googleusercontent.com"]

[external.work]
issuer = "https://login.example.com/tenant/v2.0"
client_ids = ["app", "app-ios"]
algorithms = ["ES256"]
trust_email = false
`;

describe('providers', () => {
  test('are read with their defaults, and a well-known name implies the issuer', () => {
    const { external } = parse(GOOD).config;
    const [google, work] = ['google', 'work'].map((name) => external.get(name));
    expect(google).toMatchObject({ algorithms: ['RS256', 'ES256'], trust_email: true });
    expect(google && readProvider('google', google).issuers).toEqual([
      'https://accounts.google.com',
    ]);
    expect(work && readProvider('work', work).issuers).toEqual([
      'https://login.example.com/tenant/v2.0',
    ]);
  });

  test('are shown as TOML that means the same', () => {
    const shown = showToml(parse(GOOD), { origins: 'without' });
    expect(parse(shown).config.external).toEqual(parse(GOOD).config.external);
  });

  test.each([
    ['external = 1', 'external is a section. Write [external.google].'],
    ['[external]\ngoogle = 1', 'external."google" is a section.'],
    ['[external."Big Name"]', 'The name of a provider is part of its URL'],
    ['[external.google]', 'external.google has no client_ids'],
    ['[external.work]\nclient_ids = ["a"]', 'external.work has no issuer'],
    ['[external.google]\nclient_id = "a"', 'Did you mean client_ids?'],
    ['[external.google]\nclient_ids = ["a b"]', 'Write the client id as the provider shows it.'],
    ['[external.google]\nclient_ids = ["a"]\nalgorithms = ["HS256"]', 'Write some of RS256'],
    ['[external.google]\nclient_ids = ["a"]\nalgorithms = ["none"]', 'Write some of RS256'],
    ['[external.google]\nclient_ids = ["a"]\nalgorithms = []', 'algorithms'],
    ['[external.google]\nclient_ids = ["a"]\nissuer = "http://example.com"', 'is not an https URL'],
    [
      '[external.google]\nclient_ids = ["a"]\njwks_url = "ftp://example.com"',
      'is not an https URL',
    ],
    ['[external.google]\nclient_ids = ["a"]\ndisplay_name_claim = "a b"', 'Write a claim name'],
  ])('%j is refused', (text, message) => {
    expect(() => parse(text)).toThrow(message);
  });
});
