/**
 * Where values come from: file, environment, flags; secrets by their own ways; what is in force and
 * why.
 */
import { describe, expect, it } from 'vitest';
import { isServiceLink } from '../../src/config/env.ts';
import { formatSource } from '../../src/config/fault.ts';
import { locateConfig } from '../../src/config/locate.ts';
import { SETTINGS } from '../../src/config/schema.ts';
import { filesOf, OTHER_SECRET, parse, refusal, SEAL_KEY, SECRET } from './given.ts';

const originOf = (given: Parameters<typeof parse>[0], key: string): string => {
  const origin = parse(given).origins.get(key);
  return origin === undefined ? 'none' : formatSource(origin.source);
};

describe('precedence', () => {
  it('a variable wins over the file, a flag over both', () => {
    const toml = '[log]\nlevel = "warn"';
    const env = { POSTERN_LOG_LEVEL: 'debug' };
    const flags = [{ key: 'log.level', flag: '--log-level', text: 'error' }];
    expect(parse({}).config.log.level).toBe('info');
    expect(parse({ toml }).config.log.level).toBe('warn');
    expect(parse({ toml, env }).config.log.level).toBe('debug');
    expect(parse({ toml, env, flags }).config.log.level).toBe('error');
    expect([
      originOf({}, 'log.level'),
      originOf({ toml }, 'log.level'),
      originOf({ toml, env }, 'log.level'),
      originOf({ toml, env, flags }, 'log.level'),
    ]).toEqual(['default', 'config.toml:2:9', 'POSTERN_LOG_LEVEL', '--log-level']);
  });

  it('a bad value is a fault even where another wins over it', () => {
    expect(
      refusal({ toml: '[log]\nlevel = "loud"', env: { POSTERN_LOG_LEVEL: 'debug' } }),
    ).toHaveLength(1);
  });

  it('lists of variables are separated by commas, white space around them is nothing', () => {
    const env = {
      POSTERN_SERVER_LISTEN:
        'tcp://127.0.0.1:1, unix:/run/p.sock?mode=0600&group=www-data ,systemd:',
      POSTERN_SERVER_TRUSTED_PROXIES: '',
    };
    expect(parse({ env }).config.server).toMatchObject({
      listen: [
        { kind: 'tcp', host: '127.0.0.1', port: 1 },
        { kind: 'unix', path: '/run/p.sock', mode: 0o600, group: 'www-data' },
        { kind: 'systemd' },
      ],
      trusted_proxies: [],
    });
  });

  it('numbers and truth values of variables are read as such', () => {
    const { config } = parse({
      env: { POSTERN_SESSIONS_MAX_PER_USER: '3', POSTERN_REGISTRATION_ENABLED: 'false' },
    });
    expect([config.sessions.max_per_user, config.registration.enabled]).toEqual([3, false]);
    expect(
      refusal({
        env: { POSTERN_SESSIONS_MAX_PER_USER: '0x10', POSTERN_REGISTRATION_ENABLED: 'no' },
      }),
    ).toHaveLength(2);
  });
});

describe('a section below another', () => {
  it('is written as TOML has it, in any of its ways, or by variables', () => {
    for (const toml of [
      '[mail.smtp]\nhost = "smtp.example.com"\nport = 465',
      '[mail]\nsmtp.host = "smtp.example.com"\nsmtp.port = 465',
      'mail.smtp = { host = "smtp.example.com", port = 465 }',
    ]) {
      expect(parse(toml).config['mail.smtp']).toMatchObject({
        host: 'smtp.example.com',
        port: 465,
      });
    }
    const env = { POSTERN_MAIL_SMTP_HOST: 'smtp.example.com' };
    expect(
      parse({ toml: '[mail.smtp]\nhost = "other.example.com"\nport = 465', env }).config[
        'mail.smtp'
      ],
    ).toMatchObject({ host: 'smtp.example.com', port: 465 });
    expect([
      originOf({ env }, 'mail.smtp.host'),
      originOf({ toml: '[mail.smtp]\nhost = "a"' }, 'mail.smtp.host'),
    ]).toEqual(['POSTERN_MAIL_SMTP_HOST', 'config.toml:2:8']);
  });
});

describe('the names of variables', () => {
  it('no two settings have the same, nor the name of a secret file or of the file itself', () => {
    const names = [
      'POSTERN_CONFIG',
      ...[...SETTINGS.values()].flatMap(({ env, secret }) =>
        secret ? [env, `${env}_FILE`] : [env],
      ),
    ];
    expect(new Set(names).size).toBe(names.length);
    expect(names.filter((name) => !/^POSTERN_[A-Z0-9_]+$/.test(name))).toEqual([]);
  });

  it('no setting has a name that Kubernetes gives a service link, but mail.smtp.port, which is the usual name of what it is', () => {
    const alike = [...SETTINGS.values()].filter(
      ({ env, secret }) => isServiceLink(env) || (secret && isServiceLink(`${env}_FILE`)),
    );
    expect(alike.map(({ env }) => env)).toEqual(['POSTERN_MAIL_SMTP_PORT']);
  });

  it('within a cluster too POSTERN_MAIL_SMTP_PORT is the setting; a value that Kubernetes sets for a service called postern-mail-smtp is reported, never ignored', () => {
    const links = {
      KUBERNETES_SERVICE_HOST: '10.0.0.1',
      POSTERN_MAIL_SMTP_SERVICE_HOST: '10.0.0.9',
      POSTERN_MAIL_SMTP_SERVICE_PORT: '25',
      POSTERN_MAIL_SMTP_PORT_25_TCP: 'tcp://10.0.0.9:25',
    };
    expect(
      parse({ env: { ...links, POSTERN_MAIL_SMTP_PORT: '2525' } }).config['mail.smtp'].port,
    ).toBe(2_525);
    expect(refusal({ env: { ...links, POSTERN_MAIL_SMTP_PORT: 'tcp://10.0.0.9:25' } })).toEqual([
      'POSTERN_MAIL_SMTP_PORT  "tcp://10.0.0.9:25" is not a whole number. Write a whole number from 1 to 65535.',
    ]);
  });

  it('a service called postern does not keep it from starting, within a cluster', () => {
    const links = {
      POSTERN_SERVICE_HOST: '10.0.0.1',
      POSTERN_SERVICE_PORT: '7400',
      POSTERN_SERVICE_PORT_HTTP: '7400',
      POSTERN_PORT: 'tcp://10.0.0.1:7400',
      POSTERN_PORT_7400_TCP: 'tcp://10.0.0.1:7400',
      POSTERN_PORT_7400_TCP_PROTO: 'tcp',
      POSTERN_PUBLIC_PORT_7400_TCP_ADDR: '10.0.0.1',
    };
    expect(refusal({ env: { ...links, KUBERNETES_SERVICE_HOST: '10.0.0.1' } })).toEqual([]);
    expect(refusal({ env: links })).toHaveLength(7);
  });

  it('variables of others are none of ours', () => {
    expect(
      refusal({ env: { PATH: '/bin', POSTERNS_X: '1', POSTERN_CONFIG: './config.toml' } }),
    ).toEqual([]);
  });
});

describe('a secret', () => {
  const hs256 = { POSTERN_TOKENS_ALGORITHM: 'HS256' };
  it.each([
    [
      'value of a variable',
      { env: { ...hs256, POSTERN_TOKENS_SHARED_SECRET: SECRET } },
      'POSTERN_TOKENS_SHARED_SECRET',
    ],
    [
      'file named by a variable',
      {
        env: { ...hs256, POSTERN_TOKENS_SHARED_SECRET_FILE: '/s' },
        files: { '/s': `${SECRET}\n` },
      },
      'POSTERN_TOKENS_SHARED_SECRET_FILE',
    ],
    [
      'file named in the TOML',
      { env: hs256, toml: '[tokens]\nshared_secret_file = "/s"', files: { '/s': `${SECRET}\r\n` } },
      'config.toml:2:22',
    ],
    [
      'credential of systemd',
      { env: hs256, credentialsDirectory: '/c', files: { '/c/tokens.shared_secret': SECRET } },
      '$CREDENTIALS_DIRECTORY/tokens.shared_secret',
    ],
    [
      'value in the TOML',
      { env: hs256, toml: `[tokens]\nshared_secret = "${SECRET}"` },
      'config.toml:2:17',
    ],
  ])('comes as a %s', (_, given, origin) => {
    const parsed = parse(given);
    expect(parsed.config.tokens.shared_secret).toBe(SECRET);
    expect(originOf(given, 'tokens.shared_secret')).toBe(origin);
  });

  it.each([
    [
      'variable and file',
      {
        env: {
          ...hs256,
          POSTERN_TOKENS_SHARED_SECRET: SECRET,
          POSTERN_TOKENS_SHARED_SECRET_FILE: '/s',
        },
        files: { '/s': SECRET },
      },
    ],
    [
      'TOML and credential',
      {
        env: hs256,
        toml: `[tokens]\nshared_secret = "${SECRET}"`,
        credentialsDirectory: '/c',
        files: { '/c/tokens.shared_secret': SECRET },
      },
    ],
    [
      'value and file in the TOML',
      {
        env: hs256,
        toml: `[tokens]\nshared_secret = "${SECRET}"\nshared_secret_file = "/s"`,
        files: { '/s': SECRET },
      },
    ],
  ])('by two ways at once is refused: %s', (_, given) => {
    expect(refusal(given)).toEqual([
      expect.stringMatching(/tokens\.shared_secret is set by \S+ too\. Keep one of them\.$/),
    ]);
  });

  it.each([
    [
      'file named in the TOML',
      {
        toml: '[mail.smtp]\nusername = "postern"\npassword_file = "/s"',
        files: { '/s': 'horse\n' },
      },
      'config.toml:3:17',
    ],
    [
      'file named in an inline table',
      {
        toml: 'mail = { smtp = { username = "postern", password_file = "/s" } }',
        files: { '/s': 'horse' },
      },
      'config.toml:1:57',
    ],
    [
      'value of a variable',
      { toml: '[mail.smtp]\nusername = "postern"', env: { POSTERN_MAIL_SMTP_PASSWORD: 'horse' } },
      'POSTERN_MAIL_SMTP_PASSWORD',
    ],
    [
      'file named by a variable',
      {
        env: { POSTERN_MAIL_SMTP_USERNAME: 'postern', POSTERN_MAIL_SMTP_PASSWORD_FILE: '/s' },
        files: { '/s': 'horse' },
      },
      'POSTERN_MAIL_SMTP_PASSWORD_FILE',
    ],
    [
      'credential of systemd',
      {
        env: { POSTERN_MAIL_SMTP_USERNAME: 'postern' },
        credentialsDirectory: '/c',
        files: { '/c/mail.smtp.password': 'horse\n' },
      },
      '$CREDENTIALS_DIRECTORY/mail.smtp.password',
    ],
  ])('of a section below another comes as a %s', (_, given, origin) => {
    const { username, password } = parse(given).config['mail.smtp'];
    expect([username, password]).toEqual(['postern', 'horse']);
    expect(originOf(given, 'mail.smtp.password')).toBe(origin);
  });

  it('of a section below another by two ways at once is refused', () => {
    const given = {
      toml: '[mail.smtp]\nusername = "postern"\npassword_file = "/s"',
      files: { '/s': 'horse', '/c/mail.smtp.password': 'horse' },
      credentialsDirectory: '/c',
    };
    expect(refusal(given)).toEqual([
      '$CREDENTIALS_DIRECTORY/mail.smtp.password  mail.smtp.password is set by config.toml:3:17 too. Keep one of them.',
    ]);
  });

  it('a list of secrets has one a line in a file, one after each comma in a variable', () => {
    const fromFile = parse({
      env: { POSTERN_PASSWORD_PREVIOUS_PEPPERS_FILE: '/p' },
      files: { '/p': `${SECRET}\n${OTHER_SECRET}\n` },
    });
    const fromVariable = parse({
      env: { POSTERN_PASSWORD_PREVIOUS_PEPPERS: `${SECRET},${OTHER_SECRET}` },
    });
    expect(fromFile.config.password.previous_peppers).toEqual([SECRET, OTHER_SECRET]);
    expect(fromVariable.config.password.previous_peppers).toEqual([SECRET, OTHER_SECRET]);
  });

  it('the sealing key is read as bytes, from base64url, base64 or hex', () => {
    const bytes = Buffer.from(SEAL_KEY, 'base64url');
    for (const text of [SEAL_KEY, bytes.toString('base64'), bytes.toString('hex')]) {
      expect(
        parse({
          env: { POSTERN_SECRETS_KEY_ENCRYPTION_KEY: text },
        }).config.secrets.key_encryption_key?.equals(bytes),
      ).toBe(true);
    }
  });

  it('a file that others can read gives a warning, and so does the TOML that holds one', () => {
    const inFile = parse({
      env: { ...hs256, POSTERN_TOKENS_SHARED_SECRET_FILE: '/s' },
      files: { '/s': SECRET },
      isReadableByOthers: true,
    });
    const inToml = parse({
      env: hs256,
      toml: `[tokens]\nshared_secret = "${SECRET}"`,
      isReadableByOthers: true,
    });
    expect(inFile.warnings).toEqual([
      'POSTERN_TOKENS_SHARED_SECRET_FILE  "/s" can be read by every user of this machine. Remove that access with chmod o=.',
    ]);
    expect(inToml.warnings).toEqual([
      'config.toml:2:17  tokens.shared_secret is in a file that every user of this machine can read. Remove that access with chmod o=.',
    ]);
    expect(parse({ toml: '', isReadableByOthers: true }).warnings).toEqual([]);
  });

  it.each([
    'changeme-changeme-changeme-changeme',
    'a'.repeat(40),
    'abcabcabcabcabcabcabcabcabcabcabcabc',
    'your-256-bit-secret-your-256-bit-secret',
    'postern-shared-secret-for-development',
    '0123456789abcdef0123456789abcdef',
  ])('that was typed, not drawn, is refused: %s', (text) => {
    expect(refusal({ env: { ...hs256, POSTERN_TOKENS_SHARED_SECRET: text } })).toEqual([
      expect.stringContaining('does not look random'),
    ]);
  });
});

describe('the file', () => {
  it('is the one of --config, else of POSTERN_CONFIG, else the first usual one, else none', () => {
    const files = { a: 'a', b: 'b', './config.toml': 'c', '/etc/postern/config.toml': 'd' };
    const found = (search: {
      flag?: string;
      env?: Record<string, string>;
      files: Record<string, string>;
    }): string | undefined =>
      locateConfig({ flag: search.flag, env: search.env ?? {}, readFile: filesOf(search.files) })
        ?.path;
    expect(found({ flag: 'a', env: { POSTERN_CONFIG: 'b' }, files })).toBe('a');
    expect(found({ env: { POSTERN_CONFIG: 'b' }, files })).toBe('b');
    expect(found({ files })).toBe('./config.toml');
    expect(found({ files: { '/etc/postern/config.toml': 'd' } })).toBe('/etc/postern/config.toml');
    expect(found({ files: {} })).toBeUndefined();
  });

  it('that was named and is not there is refused, never passed over', () => {
    const files = { './config.toml': '' };
    expect(() => locateConfig({ flag: '/nope', env: {}, readFile: filesOf(files) })).toThrow(
      '--config  "/nope" does not exist.',
    );
    expect(() =>
      locateConfig({ env: { POSTERN_CONFIG: '/nope' }, readFile: filesOf(files) }),
    ).toThrow('POSTERN_CONFIG  "/nope" does not exist.');
    expect(() => locateConfig({ env: { POSTERN_CONFIG: '' }, readFile: filesOf(files) })).toThrow(
      'POSTERN_CONFIG  "" does not exist.',
    );
  });

  it('that is there and can not be read is refused, not passed over for the next', () => {
    const readFile = (): never => {
      throw Object.assign(new Error('denied'), { code: 'EACCES' });
    };
    expect(() => locateConfig({ env: {}, readFile })).toThrow(
      'config.toml  This file may not be read by this user.',
    );
  });
});
