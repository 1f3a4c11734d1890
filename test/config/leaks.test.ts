/**
 * A secret is in no message, warning or listing, however it was set and whatever is wrong with it
 * (A05, A07).
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigRefused } from '../../src/config/fault.ts';
import { SETTINGS } from '../../src/config/schema.ts';
import type { Setting } from '../../src/config/schema.ts';
import { showSettings, showToml } from '../../src/config/show.ts';
import { parse, SEAL_KEY, SECRET } from './given.ts';
import type { Given } from './given.ts';

const secrets = [...SETTINGS.values()].filter(({ secret }) => secret);

/** All that anybody gets to see. */
function everythingSaid(given: Given): string {
  try {
    const parsed = parse(given);
    return [
      ...parsed.warnings,
      showToml(parsed, { origins: 'with' }),
      JSON.stringify(showSettings(parsed)),
      JSON.stringify([...parsed.origins]),
    ].join('\n');
  } catch (error) {
    if (error instanceof ConfigRefused)
      return [error.message, error.stack, JSON.stringify(error.faults), String(error.cause)].join(
        '\n',
      );
    throw error;
  }
}

const ways: Record<string, (setting: Setting, text: string) => Given> = {
  variable: ({ env }, text) => ({ env: { [env]: text } }),
  'file of a variable': ({ env }, text) => ({
    env: { [`${env}_FILE`]: '/s' },
    files: { '/s': `${text}\n` },
  }),
  'the secret where its path belongs': ({ env }, text) => ({ env: { [`${env}_FILE`]: text } }),
  'the secret where its path belongs, in the TOML': ({ section, name }, text) => ({
    toml: `[${section}]\n${name}_file = ${JSON.stringify(text)}`,
  }),
  'file of the TOML': ({ section, name }, text) => ({
    toml: `[${section}]\n${name}_file = "/s"`,
    files: { '/s': text },
  }),
  credential: ({ key }, text) => ({ credentialsDirectory: '/c', files: { [`/c/${key}`]: text } }),
  'text in the TOML': ({ section, name }, text) => ({
    toml: `[${section}]\n${name} = ${JSON.stringify(text)}`,
    isReadableByOthers: true,
  }),
  'list in the TOML': ({ section, name }, text) => ({
    toml: `[${section}]\n${name} = [${JSON.stringify(text)}, ${JSON.stringify(text)}]`,
  }),
  'table in the TOML': ({ section, name }, text) => ({
    toml: `[${section}]\n${name} = { x = ${JSON.stringify(text)} }`,
  }),
  'text without quotes': ({ section, name }, text) => ({ toml: `[${section}]\n${name} = ${text}` }),
  'text without its last quote': ({ section, name }, text) => ({
    toml: `[${section}]\n${name} = "${text}\nother = 1`,
  }),
  'two at once': ({ env, section, name }, text) => ({
    env: { [env]: text },
    toml: `[${section}]\n${name} = ${JSON.stringify(text)}`,
  }),
};

const CANARY = 'cAnaRy77';
const canaries = fc.oneof(
  fc.constant(SECRET.replace('q7Zk2vXc', CANARY)),
  fc.constant(Buffer.from(SEAL_KEY, 'base64url').toString('base64url').replace('k9Qz3vR7', CANARY)),
  fc.constantFrom('', ' ', '\u0007', '"').map((extra) => `${CANARY}${extra}`),
  fc.string({ maxLength: 60 }).map((text) => `${text}${CANARY}`),
);

describe('secrets are shown nowhere', () => {
  it.each(Object.entries(ways))('set as: %s', (_, way) => {
    fc.assert(
      fc.property(fc.constantFrom(...secrets), canaries, (setting, text) => {
        expect(everythingSaid(way(setting, text))).not.toContain(CANARY);
      }),
      { numRuns: 200 },
    );
  });

  it.each([
    ['database.url', `libsql://db.example.com?authToken=${CANARY}`],
    ['database.url', `libsql://user:${CANARY}@db.example.com`],
    ['database.url', `nonsense://user:p/${CANARY}@db.example.com`],
    ['server.public_url', `https://user:${CANARY}@auth.example.com/`],
    ['server.public_url', `https://auth.example.com/?code=${CANARY}`],
  ])('a credential within %s is neither', (key, text) => {
    const setting = SETTINGS.get(key);
    expect(everythingSaid({ env: { [setting?.env ?? '']: text } })).not.toContain(CANARY);
    expect(everythingSaid({ toml: `${key} = ${JSON.stringify(text)}` })).not.toContain(CANARY);
  });

  it('what is in force says [set] for a secret, and never more', () => {
    const parsed = parse({
      env: { POSTERN_PASSWORD_PEPPER: SECRET, POSTERN_PASSWORD_PREVIOUS_PEPPERS: SEAL_KEY },
    });
    const shown = showSettings(parsed);
    expect(shown['password.pepper']).toEqual({ value: '[set]', origin: 'POSTERN_PASSWORD_PEPPER' });
    expect(shown['password.previous_peppers']?.value).toBe('[set]');
    expect(shown['tokens.shared_secret']).toEqual({ value: null, origin: 'default' });
    expect(showToml(parsed, { origins: 'without' })).toContain('# pepper = [set]');
  });
});

describe('what is in force', () => {
  it('can be written to a file that has the same effect', () => {
    const parsed = parse(
      '[tokens]\naccess_ttl = "5m"\n[server]\nlisten = ["tcp://[::1]:80"]\nname = "a \\"b\\" # c"',
    );
    for (const origins of ['with', 'without'] as const)
      expect(parse(showToml(parsed, { origins })).config).toEqual(parsed.config);
  });

  it('has the public URL that was worked out', () => {
    expect(
      showSettings(parse('[server]\nlisten = ["systemd:", "tcp://[::1]:80"]'))['server.public_url'],
    ).toEqual({ value: 'http://[::1]', origin: 'default' });
  });
});
