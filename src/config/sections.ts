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
import type { Reading } from '../lib/setting-registry.ts';
import { readListenAddress } from './listen-address.ts';
import { readAddressRange, readDatabaseUrl, readPublicUrl } from './urls.ts';

const MIN_SHARED_SECRET_BYTES = 32;
const MIN_ENCRYPTION_KEY_BYTES = 16;

const ALGORITHMS = ['ES256', 'EdDSA', 'ES384', 'ES512', 'RS256', 'PS256', 'HS256'] as const;

const PROFILE_CLAIMS = ['preferred_username', 'name', 'email', 'email_verified'] as const;
export type ProfileClaim = (typeof PROFILE_CLAIMS)[number];

export const serverSection = section('Name, listeners and public address.', {
  name: text({
    sentence: "The service's name: shown in emails and authenticator apps, refused as a password.",
    default: 'postern',
    unit: 'a short name',
  }),
  listen: list({
    sentence: 'Addresses to listen on.',
    default: ['tcp://127.0.0.1:7400'],
    unit: '"tcp://host:port", "unix:/path?mode=0660&group=name" or "systemd:"',
    min: 1,
    read: readListenAddress,
  }),
  public_url: optionalText({
    sentence:
      'The URL that clients use: the issuer of tokens and the base of links. It must be https, except on loopback.',
    absent: 'http:// and the address of the first TCP listener',
    example: 'https://auth.example.com',
    unit: 'a URL without a query or a trailing slash',
    read: readPublicUrl,
  }),
  trusted_proxies: list({
    sentence: 'Proxies whose X-Forwarded-For is trusted.',
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
      'The page where users change their password; /.well-known/change-password redirects to it.',
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
    sentence: 'Maximum number of open connections per listener; further ones are closed at once.',
    default: 4096,
    min: 16,
    max: 1_000_000,
  }),
  max_connections_per_network: integer({
    sentence:
      'Maximum number of open connections from one IPv4 address or IPv6 /64; trusted proxies and Unix sockets have no such limit. 0 allows any number.',
    default: 256,
    min: 0,
    max: 1_000_000,
  }),
  header_timeout: duration({
    sentence: "Maximum time to receive a request's headers.",
    default: '10s',
    min: '1s',
    max: '10s',
  }),
  request_timeout: duration({
    sentence: 'Maximum time to receive a whole request.',
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
  answer_timeout: duration({
    sentence:
      'How long a client may leave an answer unread, without receiving a single byte of it, before its connection is closed.',
    default: '10s',
    min: '1s',
    max: '1m',
  }),
  shutdown_timeout: duration({
    sentence: 'How long running requests may take once the service is stopping.',
    default: '10s',
    min: '0s',
    max: '5m',
  }),
  allow_plain_http: boolean({
    sentence:
      'Allows a public_url off loopback without TLS: anyone who can read the traffic then gets the passwords.',
    default: false,
  }),
});

export const databaseSection = section('Storage of accounts and sessions.', {
  url: text({
    sentence: 'A file, or a libSQL server that several instances share.',
    default: 'file:./data/postern.db',
    unit: '"file:path", "libsql://host" or "http://host"',
    read: readDatabaseUrl,
  }),
  encryption_key: secret({
    sentence:
      'Encrypts the whole database file. Only the key that it was created with can open it.',
    unit: `at least ${MIN_ENCRYPTION_KEY_BYTES} bytes`,
    absent: 'not encrypted as a whole; secrets in it are hashed or sealed in any case',
    read: readSecretText(MIN_ENCRYPTION_KEY_BYTES),
  }),
  auth_token: secret({
    sentence: 'The token for a libSQL server.',
    unit: 'the token that the server issued',
    absent: 'none',
    read: readForeignSecret,
  }),
  flush: choice({
    sentence:
      'How a commit to a file is flushed before its request is answered: background flushes on another thread and suits slow disks; inline lets SQLite flush at each commit (synchronous=FULL).',
    default: 'background',
    of: ['background', 'inline'],
  }),
  busy_timeout: duration({
    sentence: 'Maximum wait while another process writes.',
    default: '5s',
    min: '100ms',
    max: '60s',
  }),
});

export const secretsSection = section('Keys that encrypt secrets in the database.', {
  key_encryption_key: secret({
    sentence:
      'Encrypts signing keys and other secrets in the database; if this key is lost, those secrets are lost.',
    unit: '32 random bytes in base64url, base64 or hex',
    absent: 'generated at the first start, in a file beside the database',
    read: readSealKey,
  }),
  previous_key_encryption_keys: secretList({
    sentence: 'Former keys; they only decrypt.',
    unit: 'former values of key_encryption_key',
    read: readSealKey,
  }),
});

export const tokensSection = section('Access tokens and the keys that sign them.', {
  algorithm: choice({
    sentence:
      'How access tokens are signed; RS256 and PS256 are for verifiers that support only RSA.',
    default: 'ES256',
    of: ALGORITHMS,
  }),
  audience: text({ sentence: 'The `aud` claim that verifiers expect.', default: 'postern' }),
  access_ttl: duration({
    sentence:
      'Lifetime of an access token; siblings that verify it themselves accept it until then.',
    default: '15m',
    min: '10s',
    max: '15m',
  }),
  profile_claims: list({
    sentence: 'Claims about the user in access tokens, besides `sub`.',
    default: [],
    unit: PROFILE_CLAIMS.join(', '),
    read: readProfileClaim,
  }),
  key_rotation: duration({
    sentence: 'How long a signing key is used before the next one replaces it.',
    default: '90d',
    min: '1h',
    max: '3650d',
  }),
  key_publish_ahead: duration({
    sentence: 'How long a key is in the JWKS before its first use, so that caches learn it.',
    default: '1d',
    min: '10m',
    max: '90d',
  }),
  shared_secret: secret({
    sentence:
      'Signs access tokens with HS256: any service that can verify tokens with it can also forge them.',
    unit: `at least ${MIN_SHARED_SECRET_BYTES} bytes`,
    absent: 'none; required for HS256 and refused otherwise',
    read: readSecretText(MIN_SHARED_SECRET_BYTES),
  }),
  verified_cache: integer({
    sentence: 'Number of access tokens whose valid signature is cached; 0 disables the cache.',
    default: 10_000,
    min: 0,
    max: 10_000_000,
  }),
});

export const throttleSection = section(
  'Limits on failed sign-ins, per account, device and session.',
  {
    attempts: integer({
      sentence: 'Failures within the window that cause no wait.',
      default: 10,
      min: 1,
      max: 100,
    }),
    window: duration({
      sentence: 'The time after which that many failures are forgotten.',
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
      sentence:
        'Consecutive failures after which the factor is locked until it is unlocked or reset.',
      default: 100,
      min: 1,
      max: 100,
    }),
  },
);

export const logSection = section('The log on standard output.', {
  level: choice({
    sentence: 'The least severe level that is logged.',
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
