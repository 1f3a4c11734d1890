/**
 * Rules about combinations of settings: impossible, misleading or unsafe ones (A05). A rule is
 * checked only if the values that it reads are valid, so that one mistake gives one fault.
 */
import { isPayable } from '../crypto/phc.ts';
import { formatDuration } from '../lib/duration.ts';
import { isLoopbackHost } from '../lib/origin.ts';
import { formatSize, parseSize } from '../lib/size.ts';
import { MAIL_RULES } from './mail-rules.ts';
import { PASSKEY_RULES } from './passkey-rules.ts';
import type { Rule } from './rule.ts';
import { SMS_RULES } from './sms-rules.ts';
import type { Config } from './schema.ts';

const KIB = 1024;
const DAY_MS = 86_400_000;
/** ASVS 5.0 11.4.2: the minimum memory by number of passes; from three on it stays the same. */
const MEMORY_FLOOR: ReadonlyMap<number, string> = new Map([
  [1, '46MiB'],
  [2, '19MiB'],
]);
const LEAST_MEMORY = '12MiB';

/** A rule for two durations: the first must not exceed the second. */
function notLonger(
  first: string,
  second: string,
  why: string,
  read: (config: Config) => readonly [number, number],
): Rule {
  return {
    keys: [first, second],
    fault: (config) => {
      const [a, b] = read(config);
      return a <= b
        ? undefined
        : `${first} is ${formatDuration(a)} and ${second} ${formatDuration(b)}: ${why}. Write a shorter ${first} or a longer ${second}.`;
    },
  };
}

export const RULES: readonly Rule[] = [
  {
    keys: ['admin.listen', 'admin.enabled'],
    fault: ({ admin }) =>
      admin.listen.length > 0 && !admin.enabled
        ? 'admin.listen has addresses, but admin.enabled is false, so that nothing would be answered there. Write admin.enabled = true, or remove admin.listen.'
        : undefined,
  },
  {
    keys: ['admin.listen'],
    isWarning: true,
    fault: ({ admin }) =>
      admin.listen.some((address) => address.kind === 'tcp' && !isLoopbackHost(address.host))
        ? 'admin.listen can be reached from other machines by plain http: who sees the traffic has the API keys. Write a loopback address or a Unix socket, and let a proxy add TLS.'
        : undefined,
  },
  {
    keys: ['admin.listen'],
    isWarning: true,
    fault: ({ admin }) =>
      admin.listen.some((address) => address.kind === 'unix' && (address.mode & 0o002) !== 0)
        ? 'A Unix socket of admin.listen can be used by every user of this machine. Write mode=0660.'
        : undefined,
  },
  {
    keys: ['server.listen', 'server.public_url'],
    fault: ({ server }) =>
      server.public_url === ''
        ? 'Without a TCP listener the public URL can\'t be derived. Write server.public_url, such as "https://auth.example.com".'
        : undefined,
  },
  {
    keys: ['server.public_url', 'server.listen', 'server.allow_plain_http'],
    fault: ({ server }, isSet) => {
      if (server.allow_plain_http || !isPlainOffLoopback(server.public_url)) return undefined;
      const allow = 'or, if the network can be trusted, server.allow_plain_http = true.';
      return isSet('server.public_url')
        ? `server.public_url is plain http off loopback, so passwords could be read in transit. Write "${server.public_url.replace(/^http:/, 'https:')}" ${allow}`
        : `The service listens off loopback and server.public_url is not set, so it would be plain http. Write server.public_url, such as "https://auth.example.com", ${allow}`;
    },
  },
  {
    keys: ['server.public_url', 'server.listen', 'server.allow_plain_http'],
    isWarning: true,
    fault: ({ server }) =>
      server.allow_plain_http && isPlainOffLoopback(server.public_url)
        ? 'server.allow_plain_http is on: anyone who can read the traffic gets the passwords.'
        : undefined,
  },
  {
    keys: ['server.listen'],
    isWarning: true,
    fault: ({ server }) => {
      const open = server.listen.find(
        (address) => address.kind === 'unix' && (address.mode & 0o002) !== 0,
      );
      return open === undefined
        ? undefined
        : 'A Unix socket of server.listen can be used by every user of this machine, and the client addresses that they send are trusted. Write mode=0660.';
    },
  },
  ...MAIL_RULES,
  ...SMS_RULES,
  notLonger(
    'server.header_timeout',
    'server.request_timeout',
    'the headers are part of the request',
    ({ server }) => [server.header_timeout, server.request_timeout],
  ),
  {
    keys: ['database.url', 'database.encryption_key'],
    fault: ({ database }) =>
      database.encryption_key !== undefined && isRemote(database.url)
        ? 'database.encryption_key encrypts a file, but database.url is a server. Remove the key and let the server encrypt.'
        : undefined,
  },
  {
    keys: ['database.url', 'database.auth_token'],
    fault: ({ database }) =>
      database.auth_token !== undefined && !isRemote(database.url)
        ? 'database.auth_token is for a server, but database.url is a file. Remove the token.'
        : undefined,
  },
  {
    keys: ['database.url'],
    isWarning: true,
    fault: ({ database }) => {
      const isPlain =
        /^(http|ws):/.test(database.url) && !isLoopbackHost(new URL(database.url).hostname);
      return isPlain
        ? 'database.url is plain http: anyone who can read the traffic gets every account. Write "https://" or "libsql://".'
        : undefined;
    },
  },
  {
    keys: ['secrets.previous_key_encryption_keys', 'secrets.key_encryption_key'],
    fault: ({
      secrets: { key_encryption_key: current, previous_key_encryption_keys: previous },
    }) =>
      current !== undefined && previous.some((key) => key.equals(current))
        ? 'secrets.previous_key_encryption_keys contains the current key. Write only former keys.'
        : undefined,
  },
  {
    keys: ['tokens.algorithm', 'tokens.shared_secret'],
    fault: ({ tokens }) => {
      if (tokens.algorithm === 'HS256' && tokens.shared_secret === undefined) {
        return 'tokens.algorithm is HS256, which needs tokens.shared_secret. Name its file in tokens.shared_secret_file, or write ES256, which needs none.';
      }
      if (tokens.algorithm === 'HS256' || tokens.shared_secret === undefined) return undefined;
      return `tokens.shared_secret is only for HS256, but tokens.algorithm is ${tokens.algorithm}. Remove the secret, or write HS256.`;
    },
  },
  {
    keys: ['tokens.audience', 'server.public_url'],
    fault: ({ tokens, audiences }) =>
      audiences.has(tokens.audience)
        ? `[audiences] has ${JSON.stringify(tokens.audience)}, which is tokens.audience, the audience of this service itself. Remove one of them.`
        : undefined,
  },
  {
    keys: ['tokens.key_publish_ahead', 'tokens.key_rotation'],
    fault: ({ tokens: { key_publish_ahead: ahead, key_rotation: rotation } }) =>
      ahead < rotation
        ? undefined
        : `tokens.key_publish_ahead is ${formatDuration(ahead)} and tokens.key_rotation ${formatDuration(rotation)}: the next key would be published before the previous one signs. Write a shorter tokens.key_publish_ahead.`,
  },
  notLonger(
    'sessions.idle_ttl',
    'sessions.refresh_ttl',
    'a session ends with refresh_ttl in any case',
    ({ sessions }) => [sessions.idle_ttl, sessions.refresh_ttl],
  ),
  notLonger(
    'tokens.access_ttl',
    'sessions.idle_ttl',
    'the session would end before its access token',
    ({ tokens, sessions }) => [tokens.access_ttl, sessions.idle_ttl],
  ),
  notLonger(
    'throttle.wait',
    'throttle.max_wait',
    "the first wait can't be longer than the longest",
    ({ throttle }) => [throttle.wait, throttle.max_wait],
  ),
  {
    keys: ['throttle.attempts', 'throttle.max_failures'],
    fault: ({ throttle }) =>
      throttle.attempts <= throttle.max_failures
        ? undefined
        : `throttle.attempts is ${throttle.attempts} and throttle.max_failures ${throttle.max_failures}: the account would be locked before the first wait. Write a smaller throttle.attempts.`,
  },
  {
    keys: ['sessions.refresh_ttl'],
    isWarning: true,
    fault: ({ sessions }) =>
      sessions.refresh_ttl > 30 * DAY_MS
        ? 'sessions.refresh_ttl is more than 30d; NIST SP 800-63B-4 asks for authentication at least that often.'
        : undefined,
  },
  {
    keys: ['cookies.enabled', 'cookies.allowed_origins'],
    fault: ({ cookies }) =>
      cookies.enabled && cookies.allowed_origins.length === 0
        ? 'cookies.enabled is true, but no origin may use them. Write cookies.allowed_origins, such as ["https://app.example.com"].'
        : undefined,
  },
  {
    keys: ['cookies.allowed_origins', 'cookies.enabled'],
    fault: ({ cookies }) => {
      const plain = cookies.enabled ? cookies.allowed_origins.find(isPlainOffLoopback) : undefined;
      return plain === undefined
        ? undefined
        : `cookies.allowed_origins has "${plain}": anyone on the network path could change the page that uses the cookie. Write "${plain.replace(/^http:/, 'https:')}".`;
    },
  },
  ...PASSKEY_RULES,
  {
    keys: ['registration.anonymous', 'mfa.required'],
    fault: ({ registration, mfa }) =>
      registration.anonymous && mfa.required === 'all'
        ? 'registration.anonymous is true, but mfa.required is "all": an anonymous account has no factor at all. Write registration.anonymous = false, or mfa.required = "enrolled".'
        : undefined,
  },
  {
    keys: ['otp.auto_register', 'registration.enabled'],
    fault: ({ otp, registration }) =>
      otp.auto_register && !registration.enabled
        ? 'otp.auto_register is true, but registration.enabled is false: a code would create an account that nobody may create. Write otp.auto_register = false, or registration.enabled = true.'
        : undefined,
  },
  {
    keys: ['password.min_length', 'mfa.required'],
    isWarning: true,
    fault: ({ password, mfa }) =>
      password.min_length < 15 && mfa.required !== 'all'
        ? `password.min_length is ${password.min_length}; below 15 a password should not be the only factor (NIST SP 800-63B-4 §3.1.1.2).`
        : undefined,
  },
  {
    keys: ['password.legacy_url', 'password.legacy_secret', 'password.legacy_until'],
    fault: ({ password: { legacy_url: url, legacy_secret: secret, legacy_until: until } }) => {
      const isComplete = secret !== undefined && until !== undefined;
      const isAbsent = secret === undefined && until === undefined;
      if (url === undefined ? isAbsent : isComplete) return undefined;
      return 'password.legacy_url, password.legacy_secret and password.legacy_until belong together: where to ask, the secret that signs the question, and the last day on which it is asked. Write all three, or none.';
    },
  },
  {
    keys: ['password.legacy_url', 'password.legacy_until'],
    isWarning: true,
    fault: ({ password: { legacy_url: url, legacy_until: until } }) =>
      url === undefined
        ? undefined
        : `password.legacy_url is on: until ${until}, names and passwords of sign-ins that this service does not know go to ${new URL(url).host}. Remove it as soon as your users have moved.`,
  },
  {
    keys: ['password.memory', 'password.passes'],
    fault: ({ password: { memory, passes } }) => {
      const floor = MEMORY_FLOOR.get(passes) ?? LEAST_MEMORY;
      if (memory >= (parseSize(floor) ?? 0)) return undefined;
      return `password.memory is ${formatSize(memory)}, below the minimum of ${floor} for password.passes = ${passes} (ASVS 11.4.2). Write "${floor}" or more.`;
    },
  },
  {
    keys: ['password.memory', 'password.passes', 'password.lanes'],
    fault: ({ password: { memory, passes, lanes } }) =>
      isPayable({ memoryKiB: Math.floor(memory / KIB), passes, lanes })
        ? undefined
        : 'password.memory times password.passes exceeds the maximum cost of a hash (4GiB). Lower one of them.',
  },
  {
    keys: ['password.previous_peppers', 'password.pepper'],
    fault: ({ password: { pepper, previous_peppers: previous } }) =>
      pepper !== undefined && previous.includes(pepper)
        ? 'password.previous_peppers contains the current pepper. Write only former peppers.'
        : undefined,
  },
];

function isPlainOffLoopback(url: string): boolean {
  return url.startsWith('http:') && !isLoopbackHost(new URL(url).hostname);
}

function isRemote(url: string): boolean {
  return !url.startsWith('file:');
}
