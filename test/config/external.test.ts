/** The `[external.NAME]` sections: read, refused and shown. */
import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/config/parse.ts';
import type { ParsedConfig } from '../../src/config/parse.ts';
import { showToml } from '../../src/config/show.ts';
import { readProvider } from '../../src/features/external/config.ts';

interface Around {
  readonly env?: Record<string, string>;
  /** The content of secret files, by path. */
  readonly files?: Record<string, string>;
  readonly credentialsDirectory?: string;
}

const parse = (text: string, { env = {}, files = {}, ...more }: Around = {}): ParsedConfig =>
  parseConfig({
    file: { path: 'a.toml', text, isReadableByOthers: false },
    env,
    readSecretFile: (path) => {
      const content = files[path];
      if (content === undefined) throw Object.assign(new Error(path), { code: 'ENOENT' });
      return { text: content, isReadableByOthers: path.startsWith('/open/') };
    },
    ...more,
  });

const GOOD = `[external.google]
client_ids = ["a.apps.googleusercontent.com"]

[external.work]
issuer = "https://login.example.com/tenant/v2.0"
client_ids = ["app", "app-ios"]
algorithms = ["ES256"]
trust_email = false
`;

const TENANT = '8eaef023-2b34-4da1-9baa-8bc8c9d6a490';
const PERSONAL = '9188040d-6c67-4c5b-b112-36a304b66dad';
const WITH_CODE = 'client_ids = ["a"]\nredirect_uris = ["https://app.example.com/callback"]\n';
const keyOn = (namedCurve: string): string =>
  generateKeyPairSync('ec', { namedCurve })
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString();

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

  test('a preset implies what is known of a provider, under its name or any other', () => {
    const text = `[external.microsoft]
client_ids = ["a"]
tenants = ["${TENANT}", "${PERSONAL}"]
[external.ours]
preset = "github"
issuer = "https://github.example.com/login/oauth"
api_url = "https://github.example.com/api/v3/"
${WITH_CODE}client_secret = "x"
scopes = ["user:email", "read:user"]
client_authentication = "basic"
[external.apple]
client_ids = ["a"]
[external.facebook]
client_ids = ["a"]
[external.work]
issuer = "https://login.example.com"
client_ids = ["a"]
`;
    const { external } = parse(text).config;
    const read = [...external].map(([name, one]) => [name, readProvider(name, one)]);
    expect(Object.fromEntries(read)).toMatchObject({
      microsoft: {
        issuers: [TENANT, PERSONAL].map((id) => `https://login.microsoftonline.com/${id}/v2.0`),
        profile: 'id_token',
        trustEmail: false,
        clientAuthentication: 'post',
      },
      ours: {
        issuers: ['https://github.example.com/login/oauth'],
        profile: 'github',
        apiUrl: 'https://github.example.com/api/v3',
        scopes: ['user:email', 'read:user'],
        clientAuthentication: 'basic',
      },
      apple: { scopes: [], clientAuthentication: 'apple', trustEmail: true },
      facebook: { profile: 'facebook', apiUrl: 'https://graph.facebook.com' },
      work: { scopes: ['openid', 'email', 'profile'], clientAuthentication: 'auto' },
    });
    expect(external.get('work')).toMatchObject({
      redirect_uris: [],
      scopes: [],
      tenants: [],
      metadata_claims: [],
      client_authentication: 'auto',
    });
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
    ['[external.work]\npreset = "gitlab"', 'Write one of apple, facebook, github, google'],
    ['[external.microsoft]\nclient_ids = ["a"]', 'external.microsoft has no tenants'],
    ['[external.microsoft]\ntenants = ["common"]', 'Write the id of a tenant'],
    [`[external.google]\nclient_ids = ["a"]\ntenants = ["${TENANT}"]`, 'has no {tenantid}'],
    ['[external.github]\nclient_ids = ["a"]', 'GitHub has no ID tokens'],
    [`[external.google]\n${WITH_CODE}`, 'external.google has redirect_uris and no client_secret'],
    [`[external.apple]\n${WITH_CODE}team_id = "A"`, 'Write the ten capitals and digits'],
    [`[external.apple]\n${WITH_CODE}key_id = "abc123defg"`, 'Write the ten capitals and digits'],
    [`[external.apple]\n${WITH_CODE}client_secret = "x"`, 'not all of team_id, key_id and'],
    [
      `[external.google]\n${WITH_CODE}client_secret = "x"\nscopes = ["email"]`,
      'has scopes without openid',
    ],
    ['[external.google]\nscopes = ["a b"]', 'Write a scope without spaces'],
    ['[external.google]\nredirect_uris = ["http://example.com/"]', 'is not an https URL'],
    ['[external.google]\nredirect_uris = ["https://a.example.com/#x"]', 'without user name'],
    ['[external.google]\nredirect_uris = ["x://a", "x://a"]', 'is not an https URL'],
    ['[external.google]\nclient_authentication = "none"', 'Write one of auto, basic, post'],
    ['[external.github]\napi_url = "http://example.com/"', 'is not an https URL'],
    ['[external.google]\nmetadata_claims = ["a=b=c"]', 'MEMBER=CLAIM'],
    ['[external.google]\nmetadata_claims = ["a-b"]', 'MEMBER=CLAIM'],
    ['[external.google]\nclient_secret = 5', 'external.google.client_secret is not a text'],
    ['[external.google]\nclient_secret = "a b"', 'has spaces or line ends'],
  ])('%j is refused', (text, message) => {
    expect(() => parse(text)).toThrow(message);
  });
});

describe('the secret of a provider', () => {
  const section = `[external.my-google]\npreset = "google"\n${WITH_CODE}`;
  const secretOf = (parsed: ParsedConfig) => parsed.config.external.get('my-google')?.client_secret;
  const PATH = '/run/secrets/google';
  const files = { [PATH]: 'GOCSPX-abc\n' };
  const env = { POSTERN_EXTERNAL_MY_GOOGLE_CLIENT_SECRET_FILE: PATH };

  test('has the sources of every secret, and is not shown', () => {
    const credentials = { '/creds/external.my-google.client_secret': 'GOCSPX-abc' };
    const ways = [
      parse(`${section}client_secret = "GOCSPX-abc"`),
      parse(`${section}client_secret_file = "${PATH}"`, { files }),
      parse(section, { env: { POSTERN_EXTERNAL_MY_GOOGLE_CLIENT_SECRET: 'GOCSPX-abc' } }),
      parse(section, { env, files }),
      parse(section, { credentialsDirectory: '/creds', files: credentials }),
    ];
    for (const parsed of ways) {
      expect(secretOf(parsed)).toBe('GOCSPX-abc');
      const shown = showToml(parsed, { origins: 'with' });
      expect(shown).toContain('# client_secret = [set]');
      expect(shown).not.toContain('GOCSPX');
    }
  });

  test.each([
    [`${section}client_secret_file = "${PATH}"`, { env, files }, 'Keep one of them'],
    [
      `${section}client_secret = "x"`,
      { env: { POSTERN_EXTERNAL_OTHER_CLIENT_SECRET: 'x' } },
      'is not a setting',
    ],
    [section, { env: { POSTERN_EXTERNAL_MY_GOOGLE_CLIENT_SECRET: 'a b' } }, 'has spaces'],
    [section, { env }, 'does not exist'],
    [`${section}client_secret_file = ""`, {}, 'is not a path'],
  ])('%j, %j is refused, once', (text, around, message) => {
    let said = '';
    try {
      parse(text, around);
    } catch (error) {
      said = String(error);
    }
    expect(said).toContain(message);
    expect(said.split('\n')).toHaveLength(1);
    expect(said).not.toContain('GOCSPX');
  });

  test('a file that everybody can read is told of', () => {
    const open = { files: { '/open/secret': 'GOCSPX-abc' } };
    const { warnings } = parse(`${section}client_secret_file = "/open/secret"`, open);
    expect(warnings.join()).toContain('can be read by every user');
  });

  test('Apple has a key instead: P-256 in PEM', () => {
    const apple = `[external.apple]\n${WITH_CODE}team_id = "DEF123GHIJ"\nkey_id = "ABC123DEFG"\nprivate_key_file = "AuthKey.p8"\n`;
    const withKey = (key: string) => parse(apple, { files: { 'AuthKey.p8': key } });
    expect(withKey(keyOn('P-256')).config.external.get('apple')?.private_key).toMatch(/^-----/);
    for (const key of [keyOn('P-384'), 'no key'])
      expect(() => withKey(key)).toThrow('external.apple.private_key is no P-256 key in PEM');
  });
});
