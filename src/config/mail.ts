/** The `[mail]` sections: sender, transports, limits. */
import { rsaKeyBits } from '../crypto/pem.ts';
import { canonicalEmail } from '../lib/email-address.ts';
import { readForeignSecret, readSecretText } from '../lib/secret-text.ts';
import {
  choice,
  duration,
  integer,
  list,
  optionalText,
  plainText,
  secret,
  section,
  text,
} from '../lib/setting.ts';
import type { Reading } from '../lib/setting-registry.ts';
import { readPageUrl } from '../lib/page-url.ts';

const TRANSPORTS = ['smtp', 'webhook', 'file'] as const;
export type MailTransport = (typeof TRANSPORTS)[number];

const MIN_WEBHOOK_SECRET_BYTES = 32;
const MIN_RSA_BITS = 2048;

export const mailSection = section('Emails: sender, transports, limits.', {
  from: text({
    sentence: "The sender's address.",
    default: 'postern@localhost.localdomain',
    unit: 'an address, such as "auth@example.com"',
    read: readAddress,
  }),
  from_name: text({ sentence: "The sender's display name.", default: 'postern' }),
  reply_to: optionalText({
    sentence: 'Where answers to emails go (Reply-To).',
    absent: "the sender's address",
    example: 'help@example.com',
    unit: 'an address, such as "help@example.com"',
    read: readAddress,
  }),
  transports: list({
    sentence:
      'Transports, in order of preference; the first that works is used. With none (only on loopback), emails are written to the folder mail.file.dir.',
    default: [],
    unit: TRANSPORTS.join(', '),
    read: readTransport,
  }),
  templates_dir: optionalText({
    sentence: 'A folder with your own email templates: LOCALE/NAME.txt and NAME.html.',
    absent: 'the built-in templates, in English',
    example: '/etc/postern/emails',
    unit: 'a folder',
    read: plainText,
  }),
  interval: duration({
    sentence: 'Minimum interval between two emails of the same kind to one address.',
    default: '1m',
    min: '1s',
    max: '1d',
  }),
  max_per_hour: integer({
    sentence:
      'Maximum number of requested emails of the same kind per hour to one address. A network that has requested none for it may request one more, up to three times this number in total.',
    default: 6,
    min: 1,
    max: 1_000,
  }),
  max_per_network: integer({
    sentence:
      'Maximum number of emails requested per hour from one IPv4 address or IPv6 /48. Beyond it, requests are refused as overloaded.',
    default: 60,
    min: 1,
    max: 1_000_000,
  }),
  max_requested: integer({
    sentence:
      'Maximum number of requested emails per hour in total: it bounds the rows that strangers can create in the database, about 1 kB each.',
    default: 10_000,
    min: 10,
    max: 1_000_000,
  }),
  link_ttl: duration({
    sentence:
      'How long a link in an email is valid; a code in the same email expires after 10 minutes.',
    default: '1h',
    min: '5m',
    max: '1d',
  }),
  verify_url: optionalText({
    sentence: 'The page of your front-end that handles links to verify an address.',
    absent:
      'server.public_url with /verify-address, which does not exist: required to send emails off loopback',
    example: 'https://app.example.com/verify',
    unit: 'an https URL; #token=… is added',
    read: readPageUrl,
  }),
  reset_url: optionalText({
    sentence: 'The page of your front-end that handles links to reset a password.',
    absent:
      'server.public_url with /reset-password, which does not exist: required to send emails off loopback',
    example: 'https://app.example.com/reset',
    unit: 'an https URL; #token=… is added',
    read: readPageUrl,
  }),
  sign_in_url: optionalText({
    sentence: 'The page of your front-end that handles links to sign in (otp.link).',
    absent:
      'server.public_url with /sign-in, which does not exist: required to send such links off loopback',
    example: 'https://app.example.com/sign-in',
    unit: 'an https URL; #token=… is added',
    read: readPageUrl,
  }),
});

export const mailSmtpSection = section('The SMTP server.', {
  host: text({ sentence: 'Its host name.', default: 'localhost' }),
  port: integer({ sentence: 'Its port.', default: 587, min: 1, max: 65_535 }),
  tls: choice({
    sentence: 'How TLS is negotiated; certificates are always verified.',
    default: 'starttls',
    of: ['starttls', 'implicit', 'none'],
  }),
  ca_file: optionalText({
    sentence: 'A file of certificates (PEM) to trust as well: those of a private authority.',
    absent: 'those that Node trusts',
    example: '/etc/postern/mail-ca.pem',
    unit: 'a file',
    read: plainText,
  }),
  username: optionalText({
    sentence: 'The user name for it.',
    absent: 'no sign-in',
    example: 'postern',
    unit: 'a user name',
    read: plainText,
  }),
  password: secret({
    sentence: 'The password for it.',
    unit: "the server's password",
    absent: 'none',
    read: readForeignSecret,
  }),
});

export const mailDkimSection = section(
  'The signature of emails sent by SMTP (DKIM, RFC 6376), if your server does not sign.',
  {
    selector: optionalText({
      sentence: 'The selector of the public key, in the TXT record SELECTOR._domainkey.DOMAIN.',
      absent: 'emails are not signed here',
      example: 'postern',
      unit: 'a DNS label, such as "postern"',
      read: readSelector,
    }),
    domain: optionalText({
      sentence: 'The domain that signs.',
      absent: 'the domain of mail.from',
      example: 'example.com',
      unit: 'a domain',
      read: readDomain,
    }),
    private_key: secret({
      sentence: 'Signs emails; `openssl genrsa -out dkim.pem 2048` makes one.',
      unit: 'an RSA key in PEM, 2048 bits or more',
      absent: 'none',
      read: readDkimKey,
    }),
  },
);

export const mailWebhookSection = section(
  'Emails posted as JSON to a program of yours, signed with HMAC-SHA-256.',
  {
    url: optionalText({
      sentence: 'The URL to post to.',
      absent: 'nowhere',
      example: 'https://mailer.example.com/emails',
      unit: 'an https URL, or http on loopback',
      read: readPageUrl,
    }),
    secret: secret({
      sentence: 'Signs each request.',
      unit: `at least ${MIN_WEBHOOK_SECRET_BYTES} bytes`,
      absent: 'none; needed with the transport webhook',
      read: readSecretText(MIN_WEBHOOK_SECRET_BYTES),
    }),
  },
);

export const mailFileSection = section('Emails as .eml files in a folder.', {
  dir: optionalText({
    sentence: 'The folder; it is created with access for its owner only.',
    absent: 'mail/ beside the database file',
    example: '/var/lib/postern/mail',
    unit: 'a folder',
    read: plainText,
  }),
});

function readTransport(text: string): Reading<MailTransport> {
  const value = TRANSPORTS.find((transport) => transport === text);
  return value === undefined
    ? { refusals: [{ remedy: `Write some of ${TRANSPORTS.join(', ')}.` }] }
    : { value };
}

function readAddress(text: string): Reading<string> {
  return canonicalEmail(text) === null
    ? {
        refusals: [
          {
            problem: 'is not one plain address',
            remedy: 'Write one such as "auth@example.com"; the name goes into mail.from_name.',
          },
        ],
      }
    : { value: text };
}

const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i;
const isDomain = (text: string): boolean =>
  text.length <= 253 && text.split('.').every((label) => LABEL.test(label));

/** RFC 6376 §3.1: labels, with dots between them. */
function readSelector(text: string): Reading<string> {
  return isDomain(text)
    ? { value: text }
    : {
        refusals: [
          { problem: 'is no DNS label', remedy: 'Write letters, digits and hyphens: "postern".' },
        ],
      };
}

function readDomain(text: string): Reading<string> {
  return isDomain(text) && text.includes('.')
    ? { value: text }
    : { refusals: [{ problem: 'is no domain', remedy: 'Write one such as "example.com".' }] };
}

/** RFC 8301 §3.2 demands 1024 bits and recommends 2048; receivers know RSA alone for sure. */
function readDkimKey(text: string): Reading<string> {
  const remedy = 'Make one with: openssl genrsa -out dkim.pem 2048';
  const bits = rsaKeyBits(text);
  if (bits === null) return { refusals: [{ problem: 'is no private key in PEM', remedy }] };
  return bits >= MIN_RSA_BITS
    ? { value: text }
    : { refusals: [{ problem: `is no RSA key of ${MIN_RSA_BITS} bits or more`, remedy }] };
}
