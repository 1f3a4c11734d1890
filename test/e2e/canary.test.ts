/**
 * Secrets are in no output (A05, A07, ASVS 13.3.1, 16.2.5): a service and every verb run with all
 * secrets of the configuration planted, with what users type and are given, through good ends and
 * bad ones; then all that was said, served, measured and logged is searched for them.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { VERBS } from '../../src/cli/index.ts';
import { SETTINGS } from '../../src/config/schema.ts';
import { streamSchema } from '../../src/features/event-stream/config.ts';
import { externalSchema } from '../../src/features/external/config.ts';
import { settingRegistry } from '../../src/lib/setting-registry.ts';
import { freePort } from '../support/peers.ts';
import {
  ask,
  environment,
  eventually,
  runProgram,
  startServer,
  whereIs,
} from '../support/process.ts';
import type { Run } from '../support/process.ts';

const secret = (): string => `canary-${randomBytes(24).toString('base64url')}`;
const key = (): string => randomBytes(32).toString('base64url');

/** A value for each secret setting; a new one fails the test until it has one here. */
const PLANTED: Readonly<Record<string, string>> = {
  'database.encryption_key': secret(),
  'secrets.key_encryption_key': key(),
  'secrets.previous_key_encryption_keys': key(),
  'tokens.shared_secret': key(),
  'password.pepper': secret(),
  'password.previous_peppers': secret(),
  'password.legacy_secret': secret(),
  'mail.smtp.password': secret(),
  'mail.webhook.secret': secret(),
  'sms.webhook.secret': secret(),
  'sms.gateway.authorization': secret(),
  'mail.dkim.private_key': generateKeyPairSync('rsa', { modulusLength: 2048 })
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString(),
};
/** Of the sections of providers, whose names are the operator's. */
const OF_A_PROVIDER: Readonly<Record<string, string>> = {
  'external.shop.client_secret': secret(),
  'external.apple.private_key': generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString(),
};
const OF_A_STREAM = { 'events.streams.billing.bearer_token': secret() };
const PROVIDERS = `[events.streams.billing]
audience = "billing"
url = "http://127.0.0.1:9/events"
[external.shop]
issuer = "http://127.0.0.1:9"
client_ids = ["shop"]
redirect_uris = ["https://shop.example.com/callback"]
[external.apple]
client_ids = ["com.example.shop"]
redirect_uris = ["https://shop.example.com/callback"]
team_id = "DEF123GHIJ"
key_id = "ABC123DEFG"
`;
/** Only for a database on a server. */
const OF_A_SERVER = { 'database.auth_token': secret() };

const envOf = (planted: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(planted).map(([name, value]) => [
      `POSTERN_${name.replaceAll('.', '_').toUpperCase()}`,
      value,
    ]),
  );

/** As it is, and as an encoder might have written it. */
function forms(text: string): readonly string[] {
  // A line of a PEM, in whatever way its line ends are written.
  if (text.startsWith('-----BEGIN')) return text.split('\n').slice(1, 4);
  const bytes = Buffer.from(text);
  const decoded = Buffer.from(text, 'base64url');
  return [
    text,
    bytes.toString('base64').replace(/=+$/, ''),
    bytes.toString('hex'),
    ...(text.startsWith('canary') ? [] : [decoded.toString('hex'), decoded.toString('base64')]),
  ];
}

test('each secret setting is planted', () => {
  const all = [...SETTINGS.values()].filter((setting) => setting.secret).map((one) => one.key);
  expect(Object.keys({ ...PLANTED, ...OF_A_SERVER }).sort()).toEqual(all.sort());
  const ofProviders = Object.entries(externalSchema.shape)
    .filter(([, setting]) => settingRegistry.get(setting)?.secret === true)
    .map(([name]) => name);
  expect(Object.keys(OF_A_PROVIDER).map((key) => key.split('.').at(-1))).toEqual(ofProviders);
  const ofStreams = Object.entries(streamSchema.shape)
    .filter(([, setting]) => settingRegistry.get(setting)?.secret === true)
    .map(([name]) => name);
  expect(Object.keys(OF_A_STREAM).map((key) => key.split('.').at(-1))).toEqual(ofStreams);
});

test('no output holds a secret', { timeout: 180_000 }, async () => {
  /** Where each thing was said. */
  const said: [where: string, text: string][] = [];
  const metricsPort = await freePort();
  const planted = {
    ...envOf(PLANTED),
    ...envOf(OF_A_PROVIDER),
    ...envOf(OF_A_STREAM),
    POSTERN_TOKENS_ALGORITHM: 'HS256',
    POSTERN_LOG_LEVEL: 'debug',
    POSTERN_MAIL_TRANSPORTS: 'smtp,webhook',
    POSTERN_MAIL_FROM: 'auth@example.com',
    // Nobody answers at either.
    POSTERN_MAIL_SMTP_HOST: '127.0.0.1',
    POSTERN_MAIL_SMTP_PORT: '9',
    POSTERN_MAIL_SMTP_USERNAME: 'mailer',
    POSTERN_MAIL_SMTP_TLS: 'none',
    POSTERN_MAIL_DKIM_SELECTOR: 'postern',
    POSTERN_MAIL_WEBHOOK_URL: 'http://127.0.0.1:9/hook',
    POSTERN_SMS_COUNTRIES: 'DE',
    POSTERN_SMS_TRANSPORTS: 'webhook,gateway',
    POSTERN_SMS_WEBHOOK_URL: 'http://127.0.0.1:9/sms',
    POSTERN_SMS_GATEWAY_URL: 'http://127.0.0.1:9/sms',
    POSTERN_SMS_GATEWAY_FORM: 'To={to},Body={text}',
    POSTERN_PASSWORD_LEGACY_URL: 'http://127.0.0.1:9/check',
    POSTERN_PASSWORD_LEGACY_UNTIL: '2099-12-31',
    POSTERN_ADMIN_ENABLED: 'true',
    POSTERN_METRICS_LISTEN: `tcp://127.0.0.1:${metricsPort}`,
  };
  const server = await startServer({ env: planted, config: PROVIDERS });
  const { directory } = server;
  const env = environment(planted);

  // What users type and are given.
  const password = secret();
  const wrong = secret();
  const ada = await server.register('ada', password);
  const typed = [password, wrong, ada.access, ada.refresh];
  const note = async (reply: ReturnType<typeof server.call>): Promise<void> => {
    const { status, body } = await reply;
    said.push([`answer ${status}`, JSON.stringify(body ?? null)]);
  };
  await note(server.login('ada', wrong));
  await note(server.call('POST', '/login', { body: { username: wrong, password: wrong } }));
  await note(server.call('POST', '/register', { body: { email: 'b@example.com', password } }));
  await note(server.call('POST', '/refresh', { body: { refresh_token: `${ada.refresh}x` } }));
  await note(
    server.call('POST', '/me/phone', { token: ada.access, body: { phone: '+4915123456789' } }),
  );
  await note(server.call('GET', `/me?access_token=${ada.access}`));
  await note(server.call('GET', '/me', { headers: { authorization: `Basic ${wrong}` } }));
  await note(server.call('POST', `/${wrong}`, { body: { [wrong]: wrong } }));
  await note(server.call('GET', '/admin/users', { headers: { 'postern-key': wrong } }));
  await note(server.call('GET', '/readyz'));
  for (const provider of ['shop', 'apple'])
    await note(server.call('POST', `/login/external/${provider}/start`));
  const code = { code: wrong, state: wrong, flow: wrong, iss: wrong };
  await note(server.call('POST', '/login/external/shop', { body: code }));
  await eventually(
    () => server.stdout().includes('"letter.') || server.stdout().includes('"mail.'),
    30_000,
  );

  const refused = join(directory, 'refused.ndjson');
  writeFileSync(
    refused,
    [
      { username: 'frank', external_id: '1', password_hash: wrong },
      { username: 'grace', external_id: '2', password: wrong },
      { username: 'heidi', external_id: '3', totp_secret: wrong },
      wrong,
    ]
      .map((line) => `${JSON.stringify(line)}\n`)
      .join('') + wrong,
  );
  // Every verb that ends by itself, beside the service.
  const verbs: readonly (readonly string[])[] = [
    ['health'],
    ['doctor'],
    ['doctor', '--json'],
    ['config', 'check'],
    ['config', 'show'],
    ['config', 'show', '--json'],
    ['config', 'show', '--origin'],
    ['config', 'show', '--diff'],
    ['migrate'],
    ['backup'],
    ['rekey', '--key-encryption-key'],
    ['rekey', '--new-key-file', 'missing', '--yes'],
    ['restore', 'missing', '--yes'],
    ['keys', 'list'],
    ['keys', 'rotate'],
    ['keys', 'export'],
    ['incident', '--since', '1h', '--dry-run'],
    ['incident', '--since', '1h', '--dry-run', '--json'],
    ['user', 'create', 'eve', '--password-stdin'],
    ['user', 'list'],
    ['user', 'disable', 'ada'],
    ['user', 'enable', 'ada'],
    ['user', 'unlock', 'ada'],
    ['user', 'expire-password', 'ada'],
    ['user', 'remove-factors', 'ada', '--yes'],
    ['user', 'renew-grace', 'ada'],
    ['user', 'claims', 'ada'],
    ['user', 'logout', 'ada', '--yes'],
    ['user', 'show', 'ada'],
    ['user', 'show', 'ada', '--json'],
    ['user', 'sessions', 'ada'],
    ['user', 'set-email', 'ada', 'ada@example.com', '--yes'],
    ['user', 'create', '--email', 'guest@example.com'],
    ['user', 'reset-link', 'ada', '--yes'],
    ['user', 'export', 'ada'],
    ['export'],
    ['import', refused],
    ['user', 'delete', 'ada', '--yes'],
    ['apikey', 'list'],
    ['apikey', 'revoke', 'nobody'],
    ['audit', 'list'],
    ['audit', 'verify'],
    ['audit', 'checkpoint'],
    ['audit', 'key'],
    ['audit', 'prove', 'nothing'],
    ['audit', 'export', '--format', 'ocsf'],
    ['outbox', 'list'],
    ['outbox', 'retry'],
    ['mail', 'test', 'to@example.com'],
    ['mail', 'show', '--last'],
    ['sms', 'test', '--to', '+4915123456789'],
    ['breached', 'build', 'missing', '--out', 'filter'],
    ['completion', 'bash'],
    ['version'],
    ['init'],
  ];
  const run = async (name: string, args: readonly string[], more = {}): Promise<Run> => {
    const ended = await runProgram(args, {
      directory,
      env: { ...env, ...more },
      stdin: `${password}\n`,
    });
    said.push([`${name}: ${args.join(' ')}`, ended.stdout + ended.stderr]);
    return ended;
  };
  for (const args of verbs) await run('well', args);
  const left = VERBS.map(({ name }) => name).filter(
    (name) => !verbs.some((args) => args.join(' ').startsWith(name)),
  );
  // They run on, or print the secret that they made: that is their answer.
  expect(left).toEqual(['serve', 'apikey create', 'kit serve']);

  const { body } = await ask(whereIs(`http://127.0.0.1:${metricsPort}`), 'GET', '/metrics');
  said.push(['metrics', String(body)]);
  await server.stop();
  said.push(['log', server.stdout() + server.stderr()]);

  // What fails: another key, a key that is none, a secret where its path belongs, a broken file.
  const others = Object.fromEntries(Object.keys(PLANTED).map((name) => [name, key()]));
  const broken = join(directory, 'broken');
  mkdirSync(broken);
  writeFileSync(
    join(broken, 'config.toml'),
    Object.entries(PLANTED)
      .map(([name, value]) => {
        const at = name.lastIndexOf('.');
        return `[${name.slice(0, at)}]\n${name.slice(at + 1)}s = "${value}"\n`;
      })
      .join(''),
  );
  const faults: readonly [string, Readonly<Record<string, string>>][] = [
    [
      'another database key',
      envOf({ 'database.encryption_key': others['database.encryption_key'] ?? '' }),
    ],
    ['another key-encryption key', envOf({ 'secrets.key_encryption_key': key() })],
    [
      'too short',
      envOf(Object.fromEntries(Object.keys(PLANTED).map((name) => [name, 'canary-x']))),
    ],
    [
      'the secret for its path',
      Object.fromEntries(
        Object.entries(envOf(PLANTED)).map(([name, value]) => [`${name}_FILE`, value]),
      ),
    ],
    [
      'the secret in a URL',
      { POSTERN_DATABASE_URL: `http://user:${password}@127.0.0.1:9/?authToken=${wrong}` },
    ],
    [
      'a server that is not there',
      {
        POSTERN_DATABASE_URL: 'http://127.0.0.1:9',
        POSTERN_DATABASE_ENCRYPTION_KEY: '',
        ...envOf(OF_A_SERVER),
      },
    ],
    ['a broken file', { POSTERN_CONFIG: join(broken, 'config.toml') }],
  ];
  for (const [name, more] of faults)
    for (const args of [['serve'], ['doctor', '--json'], ['user', 'list'], ['config', 'show']])
      await run(name, args, more);

  const canaries = [
    ...Object.values({ ...PLANTED, ...OF_A_PROVIDER, ...OF_A_STREAM, ...OF_A_SERVER }),
    ...typed,
  ];
  const found = said.flatMap(([where, text]) =>
    canaries.flatMap((canary) =>
      forms(canary).some((form) => text.includes(form)) ? [`${where}: ${canary}`] : [],
    ),
  );
  expect(found).toEqual([]);
  expect(said.every(([, text]) => text !== '')).toBe(true);
});
