/** The `[mail]` sections: from whom, by which ways, how often. */
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
import type { Reading } from '../lib/setting.ts';
import { readPageUrl } from '../lib/page-url.ts';

const TRANSPORTS = ['smtp', 'webhook', 'file'] as const;
export type MailTransport = (typeof TRANSPORTS)[number];

const MIN_WEBHOOK_SECRET_BYTES = 32;

export const mailSection = section('Letters: from whom, by which ways, how often.', {
  from: text({
    sentence: 'The address that letters come from.',
    default: 'postern@localhost.localdomain',
    unit: 'an address, such as "auth@example.com"',
    read: readAddress,
  }),
  from_name: text({ sentence: 'The name beside that address.', default: 'postern' }),
  transports: list({
    sentence:
      'Ways to send, the first that works; with none, letters are put into the folder of mail.file.dir, on loopback alone.',
    default: [],
    unit: TRANSPORTS.join(', '),
    read: readTransport,
  }),
  templates_dir: optionalText({
    sentence: 'A folder with letters of your own: LOCALE/LETTER.txt and LETTER.html.',
    absent: 'the letters that come with it, in English',
    example: '/etc/postern/letters',
    unit: 'a folder',
    read: plainText,
  }),
  interval: duration({
    sentence: 'Shortest time between two letters of a kind to one address.',
    default: '1m',
    min: '1s',
    max: '1d',
  }),
  max_per_hour: integer({
    sentence: 'Most letters of a kind an hour to one address that somebody asked for.',
    default: 6,
    min: 1,
    max: 1_000,
  }),
  link_ttl: duration({
    sentence: 'How long a link in a letter is good; the code beside it ends after 10 minutes.',
    default: '1h',
    min: '5m',
    max: '1d',
  }),
  verify_url: optionalText({
    sentence: 'The page of your front-end that takes the link which proves an address.',
    absent: 'server.public_url',
    example: 'https://app.example.com/verify',
    unit: 'an https URL; #token=… is added',
    read: readPageUrl,
  }),
  reset_url: optionalText({
    sentence: 'The page of your front-end that takes the link which resets a password.',
    absent: 'server.public_url',
    example: 'https://app.example.com/reset',
    unit: 'an https URL; #token=… is added',
    read: readPageUrl,
  }),
});

export const mailSmtpSection = section('The SMTP server.', {
  host: text({ sentence: 'Its name.', default: 'localhost' }),
  port: integer({ sentence: 'Its port.', default: 587, min: 1, max: 65_535 }),
  tls: choice({
    sentence: 'How TLS begins; certificates are always verified.',
    default: 'starttls',
    of: ['starttls', 'implicit', 'none'],
  }),
  username: optionalText({
    sentence: 'Who signs in to it.',
    absent: 'nobody',
    example: 'postern',
    unit: 'a user name',
    read: plainText,
  }),
  password: secret({
    sentence: 'With what.',
    unit: "the server's password",
    absent: 'none',
    read: readForeignSecret,
  }),
});

export const mailWebhookSection = section(
  'Letters posted as JSON to a program of yours, signed with HMAC-SHA-256.',
  {
    url: optionalText({
      sentence: 'Where to.',
      absent: 'nowhere',
      example: 'https://mailer.example.com/letters',
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

export const mailFileSection = section('Letters as .eml files in a folder.', {
  dir: optionalText({
    sentence: 'The folder; it is made, for its owner alone.',
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
