/**
 * What a refused configuration says (experience.md, A05): where, what was found, what to write
 * instead; all at once.
 */
import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { editDistance, guess } from '../../src/lib/guess.ts';
import { parse, refusal, SEAL_KEY, SECRET } from './given.ts';

/** A service that strangers reach, and that sends emails by itself; three lines, and one below. */
const SENT = '[server]\npublic_url = "https://auth.example.com"\n[mail]\ntransports = ["smtp"]\n';

const rsaKey = (modulusLength: number): string =>
  generateKeyPairSync('rsa', { modulusLength })
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString();

describe('a fault says where, what was found and what to write', () => {
  const cases: [string, Parameters<typeof refusal>[0], string][] = [
    [
      'unknown key',
      '\n[tokens]\nacces_ttl = "5m"',
      'config.toml:3:1  tokens.acces_ttl is not a setting. Did you mean tokens.access_ttl?',
    ],
    [
      'codes by text message to no country',
      '[otp.sms]\nenabled = true',
      'config.toml:2:11  otp.sms.enabled is true, but sms.countries is empty, so that no message would be sent. Write the countries of your users, such as ["DE"].',
    ],
    [
      'text messages that nobody sends',
      '[server]\npublic_url = "https://auth.example.com"\n[mail]\ntransports = ["file"]\n[sms]\ncountries = ["DE"]',
      'config.toml:6:13  sms.transports is empty, so text messages would stay in a folder where nobody reads them. Write ["webhook"] or ["gateway"], or ["file"] if the folder is what you want.',
    ],
    [
      'a webhook for text messages without its secret',
      '[sms]\ntransports = ["webhook"]\n[sms.webhook]\nurl = "https://sms.example.com/in"',
      'config.toml:2:14  sms.transports has webhook, which needs sms.webhook.url and sms.webhook.secret (or secret_file).',
    ],
    [
      'a gateway with two bodies',
      '[sms]\ntransports = ["gateway"]\n[sms.gateway]\nurl = "https://sms.example.com/in"\nform = ["To={to}"]\njson = \'{"to":"{to}","text":"{text}"}\'',
      'config.toml:2:14  sms.transports has gateway, which needs sms.gateway.url and either sms.gateway.form or sms.gateway.json.',
    ],
    [
      'a gateway without the text',
      '[sms]\ntransports = ["gateway"]\n[sms.gateway]\nurl = "https://sms.example.com/in"\nform = ["To={to}"]',
      'config.toml:2:14  sms.gateway.form lacks {to} or {text}. Write members such as "To={to}" and "Body={text}".',
    ],
    [
      'a country that is none',
      '[sms]\ncountries = ["XX"]',
      'config.toml:2:13  sms.countries has "XX", which is no country code. Write two capital letters (ISO 3166-1), such as "DE".',
    ],
    [
      'JSON without its placeholders',
      '[sms.gateway]\njson = \'{"to":"{to}"}\'',
      'config.toml:2:8  sms.gateway.json is "{\\"to\\":\\"{to}\\"}", which lacks {to} or {text}. Write a JSON object with {to} and {text} within its texts.',
    ],
    [
      'a message without its code',
      '[sms]\ntext = "Hello"',
      'config.toml:2:8  sms.text is "Hello", which lacks a placeholder. Write {code} where the code stands.',
    ],
    [
      'word out of a list',
      '[tokens]\nalgorithm = "ES265"',
      'config.toml:2:13  tokens.algorithm is "ES265". Write one of ES256, EdDSA, ES384, ES512, RS256, PS256, HS256.',
    ],
    [
      'URL without scheme, by variable',
      { env: { POSTERN_SERVER_PUBLIC_URL: 'auth.example.com' } },
      'POSTERN_SERVER_PUBLIC_URL  "auth.example.com" has no scheme. Write https://auth.example.com',
    ],
    [
      'URL without scheme, in the file',
      '[server]\npublic_url = "auth.example.com"',
      'config.toml:2:14  server.public_url is "auth.example.com", which has no scheme. Write "https://auth.example.com"',
    ],
    [
      'links to sign in that lead nowhere',
      `${SENT}from = "auth@example.com"\nverify_url = "https://app.example.com/v"\nreset_url = "https://app.example.com/r"\n[otp]\nlink = true\n[otp.email]\nenabled = true`,
      'config.toml:4:14  mail.sign_in_url is not set, so links in emails would lead to https://auth.example.com, which has no pages. Write mail.sign_in_url, such as "https://app.example.com/sign-in": a page of your front-end.',
    ],
    [
      'anonymous accounts where everybody needs a second factor',
      '[registration]\nanonymous = true\n[mfa]\nrequired = "all"',
      'config.toml:2:13  registration.anonymous is true, but mfa.required is "all": an anonymous account has no factor at all. Write registration.anonymous = false, or mfa.required = "enrolled".',
    ],
    [
      'a code that registers where nobody may',
      '[registration]\nenabled = false\n[otp]\nauto_register = true',
      'config.toml:4:17  otp.auto_register is true, but registration.enabled is false: a code would create an account that nobody may create. Write otp.auto_register = false, or registration.enabled = true.',
    ],
    [
      'an old system without an end',
      '[password]\nlegacy_url = "https://old.example.com/check"\nlegacy_secret = "sixteen bytes are enough"',
      'config.toml:2:14  password.legacy_url, password.legacy_secret and password.legacy_until belong together: where to ask, the secret that signs the question, and the last day on which it is asked. Write all three, or none.',
    ],
    [
      'an old system by plain http',
      '[password]\nlegacy_url = "http://old.example.com/check"',
      'config.toml:2:14  password.legacy_url is "http://old.example.com/check", which is not an https URL without user name and fragment. Write one such as "https://app.example.com/page".',
    ],
    [
      'an end that is no day',
      '[password]\nlegacy_until = "2027-02-30"',
      'config.toml:2:16  password.legacy_until is "2027-02-30". Write a day such as "2027-03-31".',
    ],
    [
      'alg none',
      '[tokens]\nalgorithm = "none"',
      'config.toml:2:13  tokens.algorithm is "none". Write one of ES256, EdDSA, ES384, ES512, RS256, PS256, HS256.',
    ],
    [
      'unknown section',
      '[token]\naccess_ttl = "5m"',
      'config.toml:1:1  token is not a section. Did you mean tokens?',
    ],
    [
      'unknown key of a section below',
      '[mail.smtp]\nhots = "a"',
      'config.toml:2:1  mail.smtp.hots is not a setting. Did you mean mail.smtp.host?',
    ],
    [
      'unknown key of a section below, in dots',
      '[mail]\nsmtp.hots = "a"',
      'config.toml:2:1  mail.smtp.hots is not a setting. Did you mean mail.smtp.host?',
    ],
    [
      'misspelt file of a secret below',
      '[mail.smtp]\npasword_file = "/s"',
      'config.toml:2:1  mail.smtp.pasword_file is not a setting. Did you mean mail.smtp.password_file?',
    ],
    [
      'unknown section below',
      '[mail.smpt]\nhost = "a"',
      'config.toml:1:1  mail.smpt is not a section. Did you mean mail.smtp?',
    ],
    [
      'section below without the one above',
      '[smtp]\nhost = "a"',
      'config.toml:1:1  smtp is not a section. Did you mean mail.smtp?',
    ],
    [
      'section below another',
      '[server.smtp]\nhost = "a"',
      'config.toml:1:1  server.smtp is not a section. Did you mean mail.smtp?',
    ],
    [
      'section below, nothing near',
      '[mail.frobnicate]\nx = 1',
      'config.toml:1:1  mail.frobnicate is not a section.',
    ],
    [
      'section below as a value',
      'mail.smtp = 3',
      'config.toml:1:1  mail.smtp is a section. Write [mail.smtp] on a line of its own and its settings below.',
    ],
    [
      'list of sections below',
      '[[mail.smtp]]\nhost = "a"',
      'config.toml:1:1  mail.smtp is a section. Write [mail.smtp] on a line of its own and its settings below.',
    ],
    [
      'section below in quotes',
      '["mail.smtp"]\nhost = "a"',
      'config.toml:1:1  "mail.smtp" is not a section. Did you mean mail.smtp?',
    ],
    [
      'setting below in quotes',
      '[mail]\n"smtp.host" = "a"',
      'config.toml:2:1  mail."smtp.host" is not a setting. Did you mean mail.smtp.host?',
    ],
    [
      'setting as a section',
      '[mail.smtp.tls]\nmode = "none"',
      'config.toml:1:1  mail.smtp.tls is a table. Write one of starttls, implicit, none.',
    ],
    [
      'setting of a section below in the one above',
      '[mail]\nhost = "a"',
      'config.toml:2:1  mail.host is not a setting. Did you mean mail.smtp.host?',
    ],
    [
      'unknown variable of a section below',
      { env: { POSTERN_MAIL_SMPT_HOST: 'a' } },
      'POSTERN_MAIL_SMPT_HOST  is not a setting. Did you mean POSTERN_MAIL_SMTP_HOST?',
    ],
    [
      'file of a secret below that is not there',
      '[mail.smtp]\nusername = "postern"\npassword_file = "/nope"',
      'config.toml:3:17  mail.smtp.password_file names a file that does not exist.',
    ],
    [
      'setting outside its section',
      'public_url = "https://a.example"',
      'config.toml:1:1  public_url is not a setting. Did you mean server.public_url?',
    ],
    [
      'setting in another section',
      '[server]\naccess_ttl = "5m"',
      'config.toml:2:1  server.access_ttl is not a setting. Did you mean tokens.access_ttl?',
    ],
    [
      'nothing near',
      '[server]\nfrobnicate = 1',
      'config.toml:2:1  server.frobnicate is not a setting.',
    ],
    [
      'section as a value',
      'server = 1',
      'config.toml:1:1  server is a section. Write [server] on a line of its own and its settings below.',
    ],
    [
      'list of sections',
      '[[server]]\nname = "x"',
      'config.toml:1:1  server is a section. Write [server] on a line of its own and its settings below.',
    ],
    [
      'bare number',
      '[tokens]\naccess_ttl = 15',
      'config.toml:2:14  tokens.access_ttl is 15, which has no unit. Write a duration from "10s" to "15m", such as "15m".',
    ],
    [
      'bare number by variable',
      { env: { POSTERN_TOKENS_ACCESS_TTL: '15' } },
      'POSTERN_TOKENS_ACCESS_TTL  "15" has no unit. Write a duration from 10s to 15m, such as 15m.',
    ],
    [
      'negative lifetime',
      '[tokens]\naccess_ttl = "-5m"',
      'config.toml:2:14  tokens.access_ttl is "-5m", which is not a duration. Write a duration from "10s" to "15m", such as "15m".',
    ],
    [
      'more than R3 allows',
      '[tokens]\naccess_ttl = "16m"',
      'config.toml:2:14  tokens.access_ttl is "16m", which is more than 15m. Write a duration from "10s" to "15m", such as "15m".',
    ],
    [
      'decimal size',
      '[password]\nmemory = "19MB"',
      'config.toml:2:10  password.memory is "19MB", which is not a size. Write a size from "12MiB" to "1GiB", such as "19MiB".',
    ],
    [
      'date of TOML',
      '[tokens]\nkey_rotation = 2026-01-01',
      'config.toml:2:16  tokens.key_rotation is a date, which is not a duration. Write a duration from "1h" to "3650d", such as "90d".',
    ],
    [
      'text for a truth value',
      '[server]\nhsts = "yes"',
      'config.toml:2:8  server.hsts is "yes", which is neither true nor false. Write true or false.',
    ],
    [
      'fraction',
      '[server]\nmax_connections = 100.5',
      'config.toml:2:19  server.max_connections is 100.5, which is not a whole number. Write a whole number from 16 to 1000000.',
    ],
    [
      'number beyond exactness',
      '[server]\nmax_connections = 9007199254740993',
      'config.toml:2:19  server.max_connections is 9007199254740993, which is not a whole number. Write a whole number from 16 to 1000000.',
    ],
    [
      'password shorter than D5 allows',
      '[password]\nmin_length = 7',
      'config.toml:2:14  password.min_length is 7, which is less than 8. Write a whole number from 8 to 64.',
    ],
    [
      'more failures than N5 allows',
      '[throttle]\nmax_failures = 101',
      'config.toml:2:16  throttle.max_failures is 101, which is more than 100. Write a whole number from 1 to 100.',
    ],
    [
      'refresh grace above D2',
      '[sessions]\nrefresh_grace = "61s"',
      'config.toml:2:17  sessions.refresh_grace is "61s", which is more than 60s. Write a duration from "0s" to "60s", such as "10s".',
    ],
    [
      'entry of a list',
      '[server]\ntrusted_proxies = ["10.0.0.0/8", "10.0.0.0/33"]',
      'config.toml:2:19  server.trusted_proxies has "10.0.0.0/33", which has a prefix length that IPv4 can\'t have. Write an address or a range, such as "10.0.0.7" or "10.0.0.0/8".',
    ],
    [
      'every client a proxy',
      '[server]\ntrusted_proxies = ["0.0.0.0/0"]',
      'config.toml:2:19  server.trusted_proxies has "0.0.0.0/0", which would let every client forge its address. Write the addresses of your proxies.',
    ],
    [
      'star as an origin',
      '[server]\ncors_origins = ["*"]',
      'config.toml:2:16  server.cors_origins has "*", which has a star, but origins are compared exactly. Write "https://" and the host, with the port if it is not the usual one.',
    ],
    [
      'origin no browser sends',
      '[server]\ncors_origins = ["https://App.example.com/"]',
      'config.toml:2:16  server.cors_origins has "https://App.example.com/", which is not how browsers spell it. Write "https://app.example.com".',
    ],
    [
      'listener without scheme',
      '[server]\nlisten = ["0.0.0.0:80"]',
      'config.toml:2:10  server.listen has "0.0.0.0:80", which has no scheme. Write "tcp://0.0.0.0:80".',
    ],
    [
      'listener as a text',
      '[server]\nlisten = "tcp://127.0.0.1:1"',
      'config.toml:2:10  server.listen is "tcp://127.0.0.1:1", which is not a list. Write a list of texts: "tcp://host:port", "unix:/path?mode=0660&group=name" or "systemd:".',
    ],
    [
      'database in memory',
      '[database]\nurl = "file::memory:"',
      'config.toml:2:7  database.url is "file::memory:", which would lose every account when the service stops. Write "file:./data/postern.db" or "libsql://host".',
    ],
    [
      'syntax',
      '[tokens]\naccess_ttl = 15m',
      'config.toml:2:16  This is not TOML: illegal character in numeric literal. Texts, durations and sizes stand in quotes.',
    ],
    [
      'unknown variable',
      { env: { POSTERN_TOKENS_ACCES_TTL: '5m' } },
      'POSTERN_TOKENS_ACCES_TTL  is not a setting. Did you mean POSTERN_TOKENS_ACCESS_TTL?',
    ],
    [
      'flag',
      { flags: [{ key: 'log.level', flag: '--log-level', text: 'loud' }] },
      '--log-level  "loud" is not known here. Write one of trace, debug, info, warn, error.',
    ],
    [
      'short secret',
      '[tokens]\nalgorithm = "HS256"\nshared_secret = "short"',
      'config.toml:3:17  tokens.shared_secret has fewer than 32 bytes. Write at least 32 random bytes; make them with: openssl rand -base64 32',
    ],
    [
      'key of other length',
      { env: { POSTERN_SECRETS_KEY_ENCRYPTION_KEY: 'c2hvcnQ' } },
      'POSTERN_SECRETS_KEY_ENCRYPTION_KEY  its value is not 32 random bytes in base64url, base64 or hex. Make a key with: openssl rand -base64 32',
    ],
    [
      'empty encryption key',
      { env: { POSTERN_DATABASE_ENCRYPTION_KEY: '' } },
      'POSTERN_DATABASE_ENCRYPTION_KEY  its value is empty. Write at least 16 random bytes; make them with: openssl rand -base64 32, or leave it out',
    ],
  ];
  it.each(cases)('%s', (_, given, expected) => {
    expect(refusal(given)).toEqual([expected]);
  });
});

describe('values that can not stand together are refused', () => {
  const remoteKey = {
    POSTERN_DATABASE_URL: 'libsql://db.example.com',
    POSTERN_DATABASE_ENCRYPTION_KEY: SECRET,
  };
  const cases: [string, Parameters<typeof refusal>[0], RegExp][] = [
    [
      'idle_ttl > refresh_ttl',
      '[sessions]\nidle_ttl = "31d"',
      /^config\.toml:2:12  sessions\.idle_ttl is 31d and sessions\.refresh_ttl 30d: .* Write a shorter/,
    ],
    [
      'access_ttl > idle_ttl',
      '[sessions]\nidle_ttl = "10m"',
      /^config\.toml:2:12  tokens\.access_ttl is 15m and sessions\.idle_ttl 10m/,
    ],
    [
      'HS256 without a secret',
      '[tokens]\nalgorithm = "HS256"',
      /^config\.toml:2:13  tokens\.algorithm is HS256, which needs tokens\.shared_secret/,
    ],
    [
      'a shared secret without HS256',
      { env: { POSTERN_TOKENS_SHARED_SECRET: SECRET } },
      /^POSTERN_TOKENS_SHARED_SECRET  tokens\.shared_secret is only for HS256/,
    ],
    [
      'cookies without origins',
      '[cookies]\nenabled = true',
      /^config\.toml:2:11  cookies\.enabled is true, but no origin/,
    ],
    [
      'cookies for plain http',
      '[cookies]\nenabled = true\nallowed_origins = ["http://app.example.com"]',
      /^config\.toml:3:19  cookies\.allowed_origins has "http:.* Write "https:\/\/app\.example\.com"/,
    ],
    [
      'encryption key with a server',
      { env: remoteKey },
      /^POSTERN_DATABASE_URL  database\.encryption_key encrypts a file/,
    ],
    [
      'auth token with a file',
      { env: { POSTERN_DATABASE_AUTH_TOKEN: 'abc' } },
      /^POSTERN_DATABASE_AUTH_TOKEN  database\.auth_token is for a server/,
    ],
    [
      'key_publish_ahead >= key_rotation',
      '[tokens]\nkey_rotation = "1d"',
      /^config\.toml:2:16  tokens\.key_publish_ahead is 1d and tokens\.key_rotation 1d/,
    ],
    [
      'plain http off loopback',
      '[server]\npublic_url = "http://auth.example.com"\n[mail]\ntransports = ["file"]',
      /^config\.toml:2:14  server\.public_url is plain http off loopback.*"https:\/\/auth\.example\.com"/,
    ],
    [
      'off loopback by its listener alone',
      {
        flags: [{ key: 'server.listen', flag: '--listen', text: 'tcp://0.0.0.0:7400' }],
        env: { POSTERN_MAIL_TRANSPORTS: 'file' },
      },
      /^--listen  The service listens off loopback and server\.public_url is not set/,
    ],
    [
      'letters that would stay in a folder, off loopback',
      '[server]\npublic_url = "https://auth.example.com"',
      /^config\.toml:2:14  mail\.transports is empty, .* Write \["smtp"\] and \[mail\.smtp\], or \["file"\]/,
    ],
    [
      'the same, said outright',
      '[server]\npublic_url = "https://auth.example.com"\n[mail]\ntransports = []',
      /^config\.toml:4:14  mail\.transports is empty/,
    ],
    [
      'a sender that no mail server knows, off loopback',
      `${SENT}verify_url = "https://app.example.com/v"\nreset_url = "https://app.example.com/r"`,
      /^config\.toml:4:14  mail\.from is "postern@localhost\.localdomain", which mail servers refuse\. Write an address/,
    ],
    [
      'the same, said outright',
      `${SENT}from = "postern@mail.internal"\nverify_url = "https://app.example.com/v"\nreset_url = "https://app.example.com/r"`,
      /^config\.toml:5:8  mail\.from is "postern@mail\.internal", which mail servers refuse/,
    ],
    [
      'links to a page that the service does not have, off loopback',
      `${SENT}from = "auth@example.com"\nreset_url = "https://app.example.com/r"`,
      /^config\.toml:4:14  mail\.verify_url is not set, so links in emails would lead to https:\/\/auth\.example\.com, which has no pages\. Write mail\.verify_url/,
    ],
    [
      'links to a page of this machine, off loopback',
      `${SENT}from = "auth@example.com"\nverify_url = "https://app.example.com/v"\nreset_url = "http://localhost:5173/r"`,
      /^config\.toml:7:13  mail\.reset_url is "http:\/\/localhost:5173\/r", which readers of emails can't open\. Write mail\.reset_url/,
    ],
    [
      'a DKIM selector without its key',
      '[mail.dkim]\nselector = "postern"',
      /^config\.toml:2:12  mail\.dkim\.selector and mail\.dkim\.private_key belong together/,
    ],
    [
      'a DKIM key that is none',
      { env: { POSTERN_MAIL_DKIM_SELECTOR: 'postern', POSTERN_MAIL_DKIM_PRIVATE_KEY: 'horse' } },
      /^POSTERN_MAIL_DKIM_PRIVATE_KEY  .*is no private key in PEM\. Make one with: openssl genrsa/,
    ],
    [
      'a DKIM key that receivers would not count',
      {
        env: {
          POSTERN_MAIL_DKIM_SELECTOR: 'postern',
          POSTERN_MAIL_DKIM_PRIVATE_KEY: rsaKey(1024),
        },
      },
      /^POSTERN_MAIL_DKIM_PRIVATE_KEY  .*is no RSA key of 2048 bits or more/,
    ],
    [
      'webhook without a secret',
      '[mail]\ntransports = ["webhook"]\n[mail.webhook]\nurl = "https://mailer.example.com/letters"',
      /^config\.toml:2:14  mail\.transports has webhook, which needs mail\.webhook\.url and mail\.webhook\.secret/,
    ],
    [
      'a user name without a password',
      '[mail.smtp]\nusername = "postern"',
      /^config\.toml:2:12  mail\.smtp\.username and mail\.smtp\.password belong together/,
    ],
    [
      'a password without a user name',
      { env: { POSTERN_MAIL_SMTP_PASSWORD: 'horse' } },
      /^POSTERN_MAIL_SMTP_PASSWORD  mail\.smtp\.username and mail\.smtp\.password belong together/,
    ],
    [
      'Unix socket alone',
      '[server]\nlisten = ["unix:/run/p.sock"]',
      /^config\.toml:2:10  Without a TCP listener .* Write server\.public_url/,
    ],
    [
      'memory below the minimum of ASVS 11.4.2',
      '[password]\npasses = 1',
      /^config\.toml:2:10  password\.memory is 19MiB, below the minimum of 46MiB/,
    ],
    [
      'a hash nobody would pay',
      '[password]\nmemory = "1GiB"\npasses = 100',
      /^config\.toml:2:10  password\.memory times password\.passes/,
    ],
    [
      'headers outlasting the request',
      '[server]\nrequest_timeout = "5s"',
      /^config\.toml:2:19  server\.header_timeout is 10s and server\.request_timeout 5s/,
    ],
    [
      'first wait above the longest',
      '[throttle]\nmax_wait = "20s"',
      /^config\.toml:2:12  throttle\.wait is 30s and throttle\.max_wait 20s/,
    ],
    [
      'more free attempts than failures',
      '[throttle]\nmax_failures = 5',
      /^config\.toml:2:16  throttle\.attempts is 10 and throttle\.max_failures 5/,
    ],
    [
      'the current pepper among the former',
      { env: { POSTERN_PASSWORD_PEPPER: SECRET, POSTERN_PASSWORD_PREVIOUS_PEPPERS: SECRET } },
      /^POSTERN_PASSWORD_PREVIOUS_PEPPERS  .*current pepper/,
    ],
    [
      'the current key among the former',
      {
        env: {
          POSTERN_SECRETS_KEY_ENCRYPTION_KEY: SEAL_KEY,
          POSTERN_SECRETS_PREVIOUS_KEY_ENCRYPTION_KEYS: SEAL_KEY,
        },
      },
      /^POSTERN_SECRETS_PREVIOUS_KEY_ENCRYPTION_KEYS  .*current key/,
    ],
  ];
  it.each(cases)('%s', (_, given, expected) => {
    expect(refusal(given)).toEqual([expect.stringMatching(expected)]);
  });

  it('memory at each floor is taken', () => {
    expect(refusal('[password]\nmemory = "46MiB"\npasses = 1')).toEqual([]);
    expect(refusal('[password]\nmemory = "12MiB"\npasses = 3')).toEqual([]);
  });

  it('plain http off loopback is taken, with a warning, where the setting allows it', () => {
    const { config, warnings } = parse(
      '[server]\npublic_url = "http://auth.lan"\nallow_plain_http = true\n[mail]\ntransports = ["file"]',
    );
    expect(config.server.public_url).toBe('http://auth.lan');
    expect(warnings).toEqual([
      'config.toml:2:14  server.allow_plain_http is on: anyone who can read the traffic gets the passwords.',
      expect.stringMatching(/^config\.toml:2:14  Passkeys are off: /),
    ]);
  });
});

describe('warnings let it start', () => {
  it('A13: an old system that is asked is told at each start, with its host and its end', () => {
    const { warnings } = parse(
      '[password]\nlegacy_url = "https://old.example.com/check"\nlegacy_secret = "sixteen bytes are enough"\nlegacy_until = "2027-03-31"',
    );
    expect(warnings).toEqual([
      expect.stringMatching(
        /password\.legacy_url is on: until 2027-03-31, .* go to old\.example\.com\./,
      ),
    ]);
  });

  it('a DKIM domain that is not the sender’s', () => {
    const { warnings } = parse({
      toml: '[mail]\nfrom = "auth@example.com"\n[mail.dkim]\nselector = "postern"\ndomain = "example.net"',
      env: { POSTERN_MAIL_DKIM_PRIVATE_KEY: rsaKey(2048) },
    });
    expect(warnings).toEqual([
      expect.stringMatching(
        /mail\.dkim\.domain is example\.net, but mail\.from is of example\.com/,
      ),
    ]);
  });

  it.each([
    ['[password]\nmin_length = 8', /below 15/],
    ['[sessions]\nrefresh_ttl = "60d"', /more than 30d/],
    [
      '[server]\nlisten = ["tcp://127.0.0.1:1", "unix:/run/p.sock?mode=0666"]',
      /every user of this machine/,
    ],
    ['[database]\nurl = "http://sqld:8080"', /plain http/],
    [
      '[admin]\nenabled = true\nlisten = ["tcp://0.0.0.0:7402"]',
      /who sees the traffic has the API keys/,
    ],
    ['[admin]\nenabled = true\nlisten = ["unix:/run/a.sock?mode=0666"]', /Write mode=0660/],
    [
      '[server]\nname = "Служба"\n[sms]\ncountries = ["DE"]',
      /makes each code 2 messages, and is billed so/,
    ],
  ])('%j', (toml, expected) => {
    expect(parse(toml).warnings).toEqual([expect.stringMatching(expected)]);
  });

  it('the defaults give none', () => {
    expect(parse().warnings).toEqual([]);
    const admin = '[admin]\nenabled = true\nlisten = ["tcp://127.0.0.1:7402", "unix:/run/a.sock"]';
    expect(parse({ toml: admin }).warnings).toEqual([]);
  });
});

describe('all faults are reported at once', () => {
  it('sorted: the file by line, then variables, then flags', () => {
    const places = refusal({
      toml: '[tokens]\nalgorithm = 1\nnope = 1\n[server]\nhsts = 1\nlisten = ["a", "b"]\n',
      env: { POSTERN_SERVER_NAME: '', POSTERN_LOG_LEVEL: 'x' },
      flags: [{ key: 'log.level', flag: '--log-level', text: 'y' }],
    }).map((line) => line.split('  ')[0]);
    expect(places).toEqual([
      'config.toml:2:13',
      'config.toml:3:1',
      'config.toml:5:8',
      'config.toml:6:10',
      'config.toml:6:10',
      'POSTERN_LOG_LEVEL',
      'POSTERN_SERVER_NAME',
      '--log-level',
    ]);
  });

  it('at most 20, and how many more there are', () => {
    const lines = refusal(
      `[server]\n${Array.from({ length: 25 }, (_, index) => `nope_${index} = 1`).join('\n')}`,
    );
    expect(lines).toHaveLength(21);
    expect(lines.at(-1)).toBe('and 5 more');
  });

  it('one mistake gives one fault: a rule is silent about values that were refused', () => {
    expect(refusal('[tokens]\nalgorithm = "HS256"\nshared_secret_file = "/nope"')).toEqual([
      'config.toml:3:22  tokens.shared_secret_file names a file that does not exist.',
    ]);
    expect(
      refusal({ toml: '[tokens]\nshared_secret = "', env: { POSTERN_TOKENS_ALGORITHM: 'HS256' } }),
    ).toHaveLength(1);
  });
});

describe('guesses', () => {
  it.each([
    ['', 'abc', 3],
    ['ab', 'ba', 1],
    ['acces', 'access', 1],
    ['kitten', 'sitting', 3],
    ['ca', 'abc', 3],
  ])('%j and %j are %i edits apart', (a, b, distance) => {
    expect(editDistance(a, b)).toBe(distance);
    expect(editDistance(b, a)).toBe(distance);
  });

  it('what is far from everything has none', () => {
    expect(guess('frobnicate', ['listen', 'name'])).toBeUndefined();
    expect(guess('x'.repeat(10_000), ['listen'])).toBeUndefined();
  });
});
