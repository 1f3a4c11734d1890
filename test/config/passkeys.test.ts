/** Which pages may use passkeys, and what is said when none could. */
import { describe, expect, it, test } from 'vitest';
import { isInScope, relyingPartyScope } from '../../src/features/passkey/config.ts';
import { parse, refusal } from './given.ts';

const head = (url: string): string =>
  `[server]\npublic_url = "${url}"\n[mail]\ntransports = ["file"]\n[passkeys]\n`;

describe('where passkeys belong when nothing is said', () => {
  it.each([
    ['https://auth.example.com', 'auth.example.com', 'https://auth.example.com'],
    ['https://auth.example.com:8443', 'auth.example.com', 'https://auth.example.com:8443'],
    ['https://example.com/auth', 'example.com', 'https://example.com'],
    ['http://127.0.0.1:7400', 'localhost', 'http://localhost:7400'],
    ['http://[::1]:7400', 'localhost', 'http://localhost:7400'],
    ['http://localhost:7400', 'localhost', 'http://localhost:7400'],
    ['http://auth.localhost:7400', 'auth.localhost', 'http://auth.localhost:7400'],
  ])('%s: %s, pages of %s', (publicUrl, id, origin) => {
    expect(relyingPartyScope({ publicUrl, rpId: undefined, origins: [] })).toEqual({
      id,
      origins: [origin],
    });
  });

  it.each(['https://10.0.0.7', 'https://[2001:db8::1]', 'http://auth.example.com', ''])(
    '%s: nowhere',
    (publicUrl) => {
      expect(relyingPartyScope({ publicUrl, rpId: undefined, origins: [] })).toBeNull();
      expect(relyingPartyScope({ publicUrl, rpId: 'example.com', origins: [] })).toBeNull();
    },
  );
});

test.each([
  ['example.com', 'https://example.com', true],
  ['example.com', 'https://app.example.com', true],
  ['example.com', 'https://app.example.com:8443', true],
  ['example.com', 'https://notexample.com', false],
  ['example.com', 'https://example.com.evil.example', false],
  ['app.example.com', 'https://example.com', false],
  ['com', 'https://example.com', false],
  ['localhost', 'http://localhost:5173', true],
  ['localhost', 'http://127.0.0.1:5173', false],
  ['example.com', 'http://example.com', false],
])('W02: %s is used by pages of %s: %s', (id, origin, expected) =>
  expect(isInScope(id, origin)).toBe(expected),
);

describe('what can not work is refused, with what to write', () => {
  it.each([
    [
      'another domain',
      `${head('https://auth.example.com')}origins = ["https://app.example.com"]`,
      /^config\.toml:6:11  passkeys\.origins has "https:\/\/app\.example\.com", and its host is neither auth\.example\.com nor under it, the domain of passkeys\.rp_id\. Write passkeys\.rp_id = /,
    ],
    [
      'a domain of somebody else',
      `${head('https://auth.example.com')}rp_id = "example.org"`,
      /^config\.toml:6:9  passkeys\.origins is empty, which means https:\/\/auth\.example\.com, and its host is neither example\.org nor under it/,
    ],
    [
      'plain http',
      `${head('https://auth.example.com')}origins = ["http://auth.example.com"]`,
      /^config\.toml:6:11  passkeys\.origins has "http:\/\/auth\.example\.com", and browsers allow passkeys only over https\. Write "https:\/\/auth\.example\.com"\./,
    ],
    [
      'a whole top-level domain',
      `${head('https://auth.example.com')}rp_id = "com"`,
      /its host is neither com, the domain/,
    ],
  ])('%s', (_, toml, expected) => expect(refusal(toml)).toEqual([expect.stringMatching(expected)]));

  it('a domain above all its pages is taken', () => {
    expect(
      parse(
        `${head('https://auth.example.com')}rp_id = "example.com"\norigins = ["https://app.example.com", "https://example.com"]`,
      ).warnings,
    ).toEqual([]);
  });

  it('an address without a domain starts, with a warning that says what to write', () => {
    expect(parse(head('https://10.0.0.7')).warnings).toEqual([
      expect.stringMatching(
        /^config\.toml:2:14  Passkeys are off: .* Write passkeys\.rp_id = "example\.com" and passkeys\.origins = /,
      ),
    ]);
    expect(parse(`${head('https://10.0.0.7')}enabled = false`).warnings).toEqual([]);
    expect(
      parse(
        `${head('https://10.0.0.7')}rp_id = "example.com"\norigins = ["https://app.example.com"]`,
      ).warnings,
    ).toEqual([]);
  });

  it('what is off is not asked', () =>
    expect(
      refusal(
        `${head('https://auth.example.com')}enabled = false\norigins = ["https://else.example.org"]`,
      ),
    ).toEqual([]));
});
