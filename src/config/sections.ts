/** The sections that belong to no feature: server, database, secrets, tokens, throttle, log. */
import { parseSealKey } from '../crypto/seal.ts';
import { readOrigin } from '../lib/origin.ts';
import { readForeignSecret, readSecretText } from '../lib/secret-text.ts';
import { readPageUrl } from '../lib/page-url.ts';
import {
  boolean,
  choice,
  duration,
  integer,
  list,
  optionalText,
  secret,
  secretList,
  section,
  text,
} from '../lib/setting.ts';
import type { Reading } from '../lib/setting.ts';
import { readListenAddress } from './listen-address.ts';
import { readAddressRange, readDatabaseUrl, readPublicUrl } from './urls.ts';

const MIN_SHARED_SECRET_BYTES = 32;
const MIN_ENCRYPTION_KEY_BYTES = 16;

export const ALGORITHMS = ['ES256', 'EdDSA', 'ES384', 'ES512', 'RS256', 'PS256', 'HS256'] as const;

const PROFILE_CLAIMS = ['preferred_username', 'name', 'email', 'email_verified'] as const;
export type ProfileClaim = (typeof PROFILE_CLAIMS)[number];

export const serverSection = section('What it is called, where it listens and how it is reached.', {
  name: text({
    sentence: 'Shown in letters and authenticator apps, and refused as a password.',
    default: 'postern',
    unit: 'a short name',
  }),
  listen: list({
    sentence: 'Where it listens; several at once are fine.',
    default: ['tcp://127.0.0.1:7400'],
    unit: '"tcp://host:port", "unix:/path?mode=0660&group=name" or "systemd:"',
    min: 1,
    read: readListenAddress,
  }),
  public_url: optionalText({
    sentence:
      'Where clients reach it: the issuer of tokens and the base of links. It must be https, unless on loopback.',
    absent: 'http:// and the first TCP listener',
    example: 'https://auth.example.com',
    unit: 'a URL without query and without a slash at its end',
    read: readPublicUrl,
  }),
  trusted_proxies: list({
    sentence: 'Proxies whose X-Forwarded-For is believed.',
    default: [],
    unit: 'addresses and ranges such as "10.0.0.0/8"',
    read: readAddressRange,
  }),
  cors_origins: list({
    sentence: 'Web origins whose scripts may call the API.',
    default: [],
    unit: 'origins such as "https://app.example.com"',
    read: readOrigin,
  }),
  change_password_url: optionalText({
    sentence:
      'The page where users change their password; /.well-known/change-password leads password managers there.',
    absent: 'none, and that path is 404',
    example: 'https://app.example.com/password',
    unit: 'an https URL',
    read: readPageUrl,
  }),
  hsts: boolean({
    sentence: 'Whether to send Strict-Transport-Security when public_url is https.',
    default: true,
  }),
  max_connections: integer({
    sentence: 'Most open connections of each listener; further ones are closed at once.',
    default: 4096,
    min: 16,
    max: 1_000_000,
  }),
  header_timeout: duration({
    sentence: "Longest wait for a request's headers.",
    default: '10s',
    min: '1s',
    max: '10s',
  }),
  request_timeout: duration({
    sentence: 'Longest wait for a whole request.',
    default: '15s',
    min: '1s',
    max: '15s',
  }),
  keep_alive_timeout: duration({
    sentence: 'How long an idle connection stays open.',
    default: '5s',
    min: '1s',
    max: '5m',
  }),
  shutdown_timeout: duration({
    sentence: 'How long requests in flight may take once it is told to stop.',
    default: '10s',
    min: '0s',
    max: '5m',
  }),
  allow_plain_http: boolean({
    sentence:
      'Allows a public_url off loopback without TLS: whoever sees the traffic then has the passwords.',
    default: false,
  }),
});

export const databaseSection = section('Where accounts and sessions are kept.', {
  url: text({
    sentence: 'A file, or a libSQL server that several instances share.',
    default: 'file:./data/postern.db',
    unit: '"file:path", "libsql://host" or "http://host"',
    read: readDatabaseUrl,
  }),
  encryption_key: secret({
    sentence:
      'Encrypts a database file as a whole. The file can be read with the key it was made with, and with no other.',
    unit: `at least ${MIN_ENCRYPTION_KEY_BYTES} bytes`,
    absent: 'not encrypted as a whole; hashes and sealed values are in any case',
    read: readSecretText(MIN_ENCRYPTION_KEY_BYTES),
  }),
  auth_token: secret({
    sentence: 'Opens a libSQL server.',
    unit: 'the token of the server',
    absent: 'none',
    read: readForeignSecret,
  }),
  busy_timeout: duration({
    sentence: 'How long to wait while another process writes.',
    default: '5s',
    min: '100ms',
    max: '60s',
  }),
});

export const secretsSection = section('Keys that seal what lies in the database.', {
  key_encryption_key: secret({
    sentence: 'Seals signing keys and other secrets in the database; without it they are lost.',
    unit: '32 random bytes in base64url, base64 or hex',
    absent: 'made at the first start, in a file beside the database',
    read: readSealKey,
  }),
  previous_key_encryption_keys: secretList({
    sentence: 'Former keys: they still open what they sealed.',
    unit: 'former values of key_encryption_key',
    read: readSealKey,
  }),
});

export const tokensSection = section('Access tokens and the keys that sign them.', {
  algorithm: choice({
    sentence:
      'How access tokens are signed; RS256 and PS256 are for verifiers that know RSA alone.',
    default: 'ES256',
    of: ALGORITHMS,
  }),
  audience: text({ sentence: 'The `aud` that verifiers demand.', default: 'postern' }),
  access_ttl: duration({
    sentence: 'How long an access token is good; until then no verifier can be told otherwise.',
    default: '15m',
    min: '10s',
    max: '15m',
  }),
  profile_claims: list({
    sentence: 'What access tokens say about the user beside `sub`.',
    default: [],
    unit: PROFILE_CLAIMS.join(', '),
    read: readProfileClaim,
  }),
  key_rotation: duration({
    sentence: 'How long a signing key signs before the next one takes over.',
    default: '90d',
    min: '1h',
    max: '3650d',
  }),
  key_publish_ahead: duration({
    sentence: 'How long before its first use a key stands in the JWKS, for caches to learn it.',
    default: '1d',
    min: '10m',
    max: '90d',
  }),
  shared_secret: secret({
    sentence: 'Signs access tokens with HS256: whoever can verify with it can also forge.',
    unit: `at least ${MIN_SHARED_SECRET_BYTES} bytes`,
    absent: 'none; needed with HS256 and refused otherwise',
    read: readSecretText(MIN_SHARED_SECRET_BYTES),
  }),
  verified_cache: integer({
    sentence: 'Access tokens whose good signature is remembered; 0 remembers none.',
    default: 10_000,
    min: 0,
    max: 10_000_000,
  }),
});

export const throttleSection = section(
  'Waits after failed sign-ins, for each account, device and network.',
  {
    attempts: integer({
      sentence: 'Failures within the window that cost nothing.',
      default: 10,
      min: 1,
      max: 100,
    }),
    window: duration({
      sentence: 'The time in which the failures that cost nothing drain away.',
      default: '1d',
      min: '1m',
      max: '30d',
    }),
    wait: duration({
      sentence: 'The first wait; each further failure doubles it.',
      default: '30s',
      min: '1s',
      max: '1h',
    }),
    max_wait: duration({ sentence: 'The longest wait.', default: '1h', min: '1s', max: '1d' }),
    max_failures: integer({
      sentence: 'Failures in a row after which a password is disabled until it is reset.',
      default: 100,
      min: 1,
      max: 100,
    }),
  },
);

export const logSection = section('What is written to standard output.', {
  level: choice({
    sentence: 'The least severe level that is written.',
    default: 'info',
    of: ['trace', 'debug', 'info', 'warn', 'error'],
  }),
  format: choice({
    sentence: 'JSON lines, or text for people; auto is text on a terminal.',
    default: 'auto',
    of: ['auto', 'json', 'pretty'],
  }),
});

function readProfileClaim(text: string): Reading<ProfileClaim> {
  const value = PROFILE_CLAIMS.find((claim) => claim === text);
  return value === undefined
    ? { refusals: [{ remedy: `Write some of ${PROFILE_CLAIMS.join(', ')}.` }] }
    : { value };
}

function readSealKey(text: string): Reading<Buffer> {
  try {
    return { value: parseSealKey(text) };
  } catch {
    return {
      refusals: [
        {
          problem: 'is not 32 random bytes in base64url, base64 or hex',
          remedy: 'Make a key with: openssl rand -base64 32',
        },
      ],
    };
  }
}
