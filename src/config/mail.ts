/** The `[mail]` sections: sender, transports, limits. */
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

export const mailSection = section('Emails: sender, transports, limits.', {
  from: text({
    sentence: "The sender's address.",
    default: 'postern@localhost.localdomain',
    unit: 'an address, such as "auth@example.com"',
    read: readAddress,
  }),
  from_name: text({ sentence: "The sender's display name.", default: 'postern' }),
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
      'Maximum number of requested emails of the same kind per hour to one address. A network that has requested none for it gets one more, up to three times as many in all.',
    default: 6,
    min: 1,
    max: 1_000,
  }),
  max_per_network: integer({
    sentence:
      'Maximum number of emails requested per hour from one IPv4 address or IPv6 /48. Past it requests are refused as overloaded.',
    default: 60,
    min: 1,
    max: 1_000_000,
  }),
  max_requested: integer({
    sentence:
      'Maximum number of emails requested per hour in all: it bounds what strangers can leave in the database, about 1 kB each.',
    default: 10_000,
    min: 10,
    max: 1_000_000,
  }),
  link_ttl: duration({
    sentence: 'How long a link in an email is valid; the code beside it expires after 10 minutes.',
    default: '1h',
    min: '5m',
    max: '1d',
  }),
  verify_url: optionalText({
    sentence: 'The page of your front-end that handles links to verify an address.',
    absent: 'server.public_url',
    example: 'https://app.example.com/verify',
    unit: 'an https URL; #token=… is added',
    read: readPageUrl,
  }),
  reset_url: optionalText({
    sentence: 'The page of your front-end that handles links to reset a password.',
    absent: 'server.public_url',
    example: 'https://app.example.com/reset',
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
