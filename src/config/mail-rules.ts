/** Rules about emails: that they are sent, and that sender and links work where they arrive. */
import { isLoopbackHost } from '../lib/origin.ts';
import type { Rule } from './rule.ts';
import type { Config } from './schema.ts';

/** A service that only this machine reaches is being tried out. */
function isOffLoopback({ server }: Pick<Config, 'server'>): boolean {
  return server.public_url !== '' && !isLoopbackHost(new URL(server.public_url).hostname);
}

const isSentByUs = ({ mail }: Config): boolean => mail.transports.includes('smtp');
/** Emails in a folder reach nobody by themselves. */
const reachesPeople = ({ mail }: Config): boolean =>
  mail.transports.some((transport) => transport !== 'file');

const domainOf = (address: string): string => address.slice(address.lastIndexOf('@') + 1);

/** RFC 6761, 6762, 8375: names that mean nothing, or something else, on another machine. */
function isLocalName(domain: string): boolean {
  return (
    !domain.includes('.') ||
    /(?:^|\.)(?:localhost|localdomain|local|internal|invalid|test|home\.arpa)$/i.test(domain)
  );
}

/** The page that a kind of email leads to, which the service doesn't have. */
function pageRule(
  key: 'verify_url' | 'reset_url' | 'sign_in_url',
  page: string,
  isUsed: (config: Config) => boolean = () => true,
): Rule {
  return {
    keys: [`mail.${key}`, 'mail.transports', 'server.public_url', 'server.listen', 'otp.link'],
    fault: (config) => {
      if (!isOffLoopback(config) || !reachesPeople(config) || !isUsed(config)) return undefined;
      const { public_url } = config.server;
      const url = config.mail[key];
      const sample = `Write mail.${key}, such as "https://app.example.com/${page}": a page of your front-end.`;
      if (url === undefined)
        return `mail.${key} is not set, so links in emails would lead to ${public_url}, which has no pages. ${sample}`;
      return isLoopbackHost(new URL(url).hostname)
        ? `mail.${key} is "${url}", which readers of emails can't open. ${sample}`
        : undefined;
    },
  };
}

export const MAIL_RULES: readonly Rule[] = [
  {
    keys: ['mail.transports', 'server.public_url', 'server.listen'],
    fault: ({ mail, server }) =>
      mail.transports.length === 0 &&
      !isLoopbackHost(
        new URL(server.public_url === '' ? 'http://localhost' : server.public_url).hostname,
      )
        ? 'mail.transports is empty, so emails would stay in a folder where nobody reads them. Write ["smtp"] and [mail.smtp], or ["file"] if the folder is what you want.'
        : undefined,
  },
  {
    keys: ['mail.transports', 'mail.webhook.url', 'mail.webhook.secret'],
    fault: (config) =>
      config.mail.transports.includes('webhook') &&
      (config['mail.webhook'].url === undefined || config['mail.webhook'].secret === undefined)
        ? 'mail.transports has webhook, which needs mail.webhook.url and mail.webhook.secret (or secret_file).'
        : undefined,
  },
  {
    keys: ['mail.smtp.username', 'mail.smtp.password'],
    fault: (_config, isSet) =>
      isSet('mail.smtp.username') !== isSet('mail.smtp.password')
        ? 'mail.smtp.username and mail.smtp.password belong together. Write both or neither.'
        : undefined,
  },
  {
    keys: ['mail.smtp.tls', 'mail.smtp.host', 'mail.transports'],
    isWarning: true,
    fault: (config) =>
      config.mail.transports.includes('smtp') &&
      config['mail.smtp'].tls === 'none' &&
      !isLoopbackHost(config['mail.smtp'].host)
        ? 'mail.smtp.tls is none: codes and links in emails can be read in transit.'
        : undefined,
  },
  {
    keys: ['mail.from', 'mail.transports', 'server.public_url', 'server.listen'],
    fault: (config) => {
      const { from } = config.mail;
      return isOffLoopback(config) && isSentByUs(config) && isLocalName(domainOf(from))
        ? `mail.from is "${from}", which mail servers refuse. Write an address of a domain of yours, such as "auth@example.com".`
        : undefined;
    },
  },
  pageRule('verify_url', 'verify'),
  pageRule('reset_url', 'reset'),
  pageRule('sign_in_url', 'sign-in', ({ otp, 'otp.email': email }) => otp.link && email.enabled),
  {
    keys: ['mail.dkim.selector', 'mail.dkim.private_key'],
    fault: (_config, isSet) =>
      isSet('mail.dkim.selector') !== isSet('mail.dkim.private_key')
        ? 'mail.dkim.selector and mail.dkim.private_key belong together. Write both or neither.'
        : undefined,
  },
  {
    keys: ['mail.dkim.domain', 'mail.from', 'mail.dkim.selector'],
    isWarning: true,
    fault: (config) => {
      const { domain, selector } = config['mail.dkim'];
      if (domain === undefined || selector === undefined) return undefined;
      const sender = domainOf(config.mail.from).toLowerCase();
      return `.${sender}`.endsWith(`.${domain.toLowerCase()}`)
        ? undefined
        : `mail.dkim.domain is ${domain}, but mail.from is of ${sender}: receivers that check DMARC will not count the signature (RFC 7489 §3.1.1).`;
    },
  },
];
