/** The `[sms]` sections: countries, transports, limits. */
import { readSecretText } from '../lib/secret-text.ts';
import {
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

const TRANSPORTS = ['webhook', 'gateway', 'file'] as const;
export type SmsTransport = (typeof TRANSPORTS)[number];

const MIN_WEBHOOK_SECRET_BYTES = 32;
const MAX_TEMPLATE = 2_000;

const refusal = <T>(problem: string, remedy: string): Reading<T> => ({
  refusals: [{ problem, remedy }],
});

export const smsSection = section('Text messages (SMS): countries, transports, limits.', {
  countries: list({
    sentence:
      'The countries to whose mobile numbers messages are sent. None: no text messages, no telephone numbers.',
    default: [],
    unit: 'ISO 3166-1 codes, such as "DE", "AT"',
    read: readCountry,
  }),
  transports: list({
    sentence:
      'Transports, in order of preference; the first that works is used. With none (only on loopback), messages are written to the folder sms.file.dir.',
    default: [],
    unit: TRANSPORTS.join(', '),
    read: readTransport,
  }),
  domain: optionalText({
    sentence:
      'The domain of the page on which codes are entered: the last line of each message binds the code to it.',
    absent: 'the host of server.public_url',
    example: 'app.example.com',
    unit: 'a host name',
    read: readHost,
  }),
  text: text({
    sentence:
      'The message above its last line. {code}, {service} and {minutes} are replaced; 160 characters in all are one message.',
    default: '{code} is your code for {service}. Do not tell it to anybody.',
    unit: 'a text with {code}',
    read: readMessage,
  }),
  interval: duration({
    sentence: 'Minimum interval between two messages to one number.',
    default: '1m',
    min: '1s',
    max: '1d',
  }),
  max_per_number: integer({
    sentence:
      'Maximum number of messages a day to one number, and for one account. A network that has requested none for the number may request one more, up to three times this number in total.',
    default: 6,
    min: 1,
    max: 1_000,
  }),
  max_per_network: integer({
    sentence: 'Maximum number of messages a day that one IPv4 address or IPv6 /64 may cause.',
    default: 15,
    min: 1,
    max: 1_000_000,
  }),
  max_unverified: integer({
    sentence:
      'Codes a day to new numbers of one country that are sent although none comes back. Beyond it, a fifth of the best day of two weeks; in an hour a sixth of it, at least 3.',
    default: 20,
    min: 1,
    max: 1_000_000,
  }),
  max_per_day: integer({
    sentence: 'Maximum number of messages a day in all: the most that they can cost.',
    default: 1_000,
    min: 1,
    max: 10_000_000,
  }),
});

export const smsWebhookSection = section(
  'Text messages posted as JSON to a program of yours, signed with HMAC-SHA-256 as emails are.',
  {
    url: optionalText({
      sentence: 'The URL to post to.',
      absent: 'nowhere',
      example: 'https://sms.example.com/messages',
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

export const smsGatewaySection = section(
  'The HTTP interface of an SMS provider: a form or a JSON body, in which {to} and {text} are replaced.',
  {
    url: optionalText({
      sentence: 'The URL to post to.',
      absent: 'nowhere',
      example: 'https://api.example.com/v1/messages',
      unit: 'an https URL, or http on loopback',
      read: readPageUrl,
    }),
    authorization: secret({
      sentence: 'The value of the Authorization field.',
      unit: 'such as "Bearer …" or "Basic …"',
      absent: 'none is sent',
      read: readFieldSecret,
    }),
    headers: list({
      sentence: 'Further fields of the request that are no secret.',
      default: [],
      unit: 'such as "X-Region: eu"',
      read: readHeader,
    }),
    form: list({
      sentence: 'The members of a form body.',
      default: [],
      unit: 'such as "To={to}", "From=Example", "Body={text}"',
      read: readFormField,
    }),
    json: optionalText({
      sentence: 'The JSON body, if it is no form.',
      absent: 'a form',
      example: '{"recipients":["{to}"],"body":"{text}"}',
      unit: 'a JSON object',
      read: readJsonTemplate,
    }),
  },
);

export const smsFileSection = section('Text messages as files in a folder.', {
  dir: optionalText({
    sentence: 'The folder; it is created with access for its owner only.',
    absent: 'sms/ beside the database file',
    example: '/var/lib/postern/sms',
    unit: 'a folder',
    read: plainText,
  }),
});

const regions = new Intl.DisplayNames(['en'], { type: 'region', fallback: 'none' });

function readCountry(text: string): Reading<string> {
  return /^[A-Z]{2}$/.test(text) && regions.of(text) !== undefined
    ? { value: text }
    : refusal('is no country code', 'Write two capital letters (ISO 3166-1), such as "DE".');
}

function readTransport(text: string): Reading<SmsTransport> {
  const value = TRANSPORTS.find((transport) => transport === text);
  return value === undefined
    ? { refusals: [{ remedy: `Write some of ${TRANSPORTS.join(', ')}.` }] }
    : { value };
}

function readHost(text: string): Reading<string> {
  const isHost = text.length <= 100 && /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.?)+$/.test(text);
  return isHost && !text.endsWith('.')
    ? { value: text }
    : refusal('is no host name', 'Write one in small letters, such as "app.example.com".');
}

const withPlain = (text: string, missing: boolean, remedy: string): Reading<string> => {
  const reading = plainText(text);
  return 'refusals' in reading || !missing ? reading : refusal('lacks a placeholder', remedy);
};

function readMessage(text: string): Reading<string> {
  return withPlain(text, !text.includes('{code}'), 'Write {code} where the code stands.');
}

/** RFC 9110 §5.5: visible characters and spaces. */
const FIELD_VALUE = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;

function readFieldSecret(text: string): Reading<string> {
  return FIELD_VALUE.test(text)
    ? { value: text }
    : refusal('is no value of a header field', 'Write it in one line of ASCII.');
}

function readHeader(text: string): Reading<readonly [string, string]> {
  const [, name = '', value = ''] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):\s*(.*)$/.exec(text) ?? [];
  return name !== '' && FIELD_VALUE.test(value)
    ? { value: [name, value] }
    : refusal('is no header field', 'Write a name, a colon and a value: "X-Region: eu".');
}

function readFormField(text: string): Reading<readonly [string, string]> {
  const at = text.indexOf('=');
  return at > 0 && !('refusals' in plainText(text))
    ? { value: [text.slice(0, at), text.slice(at + 1)] }
    : refusal('is no member of a form', 'Write a name, = and a value: "To={to}".');
}

function readJsonTemplate(text: string): Reading<string> {
  const remedy = 'Write a JSON object with {to} and {text} within its texts.';
  if (text.length > MAX_TEMPLATE) return refusal('is too long', remedy);
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return text.includes('{to}') && text.includes('{text}')
        ? { value: text }
        : refusal('lacks {to} or {text}', remedy);
  } catch {
    // Refused below: the parser's message would repeat the text.
  }
  return refusal('is no JSON object', remedy);
}
