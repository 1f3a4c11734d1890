/** Rules about text messages: that they are sent, and that what sends codes has countries. */
import { isLoopbackHost } from '../lib/origin.ts';
import { messagesOf, smsText } from '../lib/sms-text.ts';
import type { Rule } from './rule.ts';
import type { Config } from './schema.ts';

/** The host of the page that codes are entered on, as far as the configuration tells. */
const domainOf = ({ sms, server }: Config): string =>
  sms.domain ?? (server.public_url === '' ? '' : new URL(server.public_url).hostname);

export const SMS_RULES: readonly Rule[] = [
  {
    keys: ['sms.text', 'sms.domain', 'sms.countries', 'server.name', 'server.public_url'],
    isWarning: true,
    fault: (config) => {
      const { sms, server, otp } = config;
      if (sms.countries.length === 0) return undefined;
      const words = { text: sms.text, service: server.name, domain: domainOf(config) };
      const values = { code: '0'.repeat(otp.length), code_minutes: '10' };
      const count = messagesOf(smsText(words, values));
      return count === 1
        ? undefined
        : `sms.text makes each code ${count} messages, and is billed so: there is room for 160 characters of the GSM alphabet, or 70 with any other letter. Write a shorter text, or other letters in server.name.`;
    },
  },
  {
    keys: ['otp.sms.enabled', 'sms.countries'],
    fault: ({ 'otp.sms': { enabled }, sms }) =>
      enabled && sms.countries.length === 0
        ? 'otp.sms.enabled is true, but sms.countries is empty, so that no message would be sent. Write the countries of your users, such as ["DE"].'
        : undefined,
  },
  {
    keys: ['sms.countries', 'sms.transports', 'server.public_url', 'server.listen'],
    fault: ({ sms, server }) =>
      sms.countries.length > 0 &&
      sms.transports.length === 0 &&
      !isLoopbackHost(
        new URL(server.public_url === '' ? 'http://localhost' : server.public_url).hostname,
      )
        ? 'sms.transports is empty, so text messages would stay in a folder where nobody reads them. Write ["webhook"] or ["gateway"], or ["file"] if the folder is what you want.'
        : undefined,
  },
  {
    keys: ['sms.transports', 'sms.webhook.url', 'sms.webhook.secret'],
    fault: ({ sms, 'sms.webhook': webhook }) =>
      sms.transports.includes('webhook') &&
      (webhook.url === undefined || webhook.secret === undefined)
        ? 'sms.transports has webhook, which needs sms.webhook.url and sms.webhook.secret (or secret_file).'
        : undefined,
  },
  {
    keys: ['sms.transports', 'sms.gateway.url', 'sms.gateway.form', 'sms.gateway.json'],
    fault: ({ sms, 'sms.gateway': { url, form, json } }) => {
      if (!sms.transports.includes('gateway')) return undefined;
      if (url === undefined || (json === undefined) === (form.length === 0))
        return 'sms.transports has gateway, which needs sms.gateway.url and either sms.gateway.form or sms.gateway.json.';
      const values = form.map(([, value]) => value).join(' ');
      return json !== undefined || (values.includes('{to}') && values.includes('{text}'))
        ? undefined
        : 'sms.gateway.form lacks {to} or {text}. Write members such as "To={to}" and "Body={text}".';
    },
  },
];
