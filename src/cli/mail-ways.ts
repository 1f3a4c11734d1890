/** The configured transports, in order, and the operator's own templates. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Config } from '../config/schema.ts';
import { TEMPLATES } from '../core/email/templates.ts';
import type { TemplateName } from '../core/email/templates.ts';
import { demandCertificate } from '../crypto/pem.ts';
import { databaseFile } from '../db/open.ts';
import { folderTransport } from '../delivery/eml-folder.ts';
import type { FindTemplate, OwnTemplate } from '../delivery/templates.ts';
import { smtpTransport } from '../delivery/smtp.ts';
import type { DkimOptions } from '../delivery/smtp.ts';
import type { Transport } from '../delivery/transport.ts';
import { webhookTransport } from '../delivery/webhook.ts';
import type { Clock } from '../lib/clock.ts';
import { CliRefusal, EXIT } from './exit.ts';

/** The folder for .eml files: the configured one, else beside the database. */
export function mailFolder(config: Config): string {
  const configured = config['mail.file'].dir;
  if (configured !== undefined) return configured;
  const database = databaseFile(config.database.url);
  return database === null ? 'mail' : join(dirname(database), 'mail');
}

export function mailTransports(config: Config, clock: Clock): readonly Transport[] {
  const ways = config.mail.transports.length === 0 ? ['file' as const] : config.mail.transports;
  return ways.map((way) => transportOf(way, config, clock));
}

type Way = Config['mail']['transports'][number];

function transportOf(way: Way, config: Config, clock: Clock): Transport {
  const from = {
    address: config.mail.from,
    name: config.mail.from_name,
    replyTo: config.mail.reply_to,
  };
  switch (way) {
    case 'smtp':
      return smtpTransport({
        ...config['mail.smtp'],
        from,
        ca: certificates(config['mail.smtp'].ca_file),
        dkim: dkimOf(config),
      });
    case 'webhook':
      return webhookTransport({
        url: config['mail.webhook'].url ?? '',
        secret: config['mail.webhook'].secret ?? '',
        clock,
      });
    case 'file':
      return folderTransport({ dir: mailFolder(config), from });
  }
}

function dkimOf({ mail, 'mail.dkim': dkim }: Config): DkimOptions | undefined {
  const { selector, private_key: privateKey } = dkim;
  if (selector === undefined || privateKey === undefined) return undefined;
  const domain = dkim.domain ?? mail.from.slice(mail.from.lastIndexOf('@') + 1);
  return { selector, domain, privateKey };
}

/** @throws {CliRefusal} the file does not exist, or contains no certificate */
function certificates(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  try {
    const pem = readFileSync(path, 'utf8');
    demandCertificate(pem);
    return pem;
  } catch (cause) {
    throw new CliRefusal(
      EXIT.config,
      `mail.smtp.ca_file: ${path} is not a readable file of certificates. Write the path of one in PEM.`,
      { cause },
    );
  }
}

/** The transports as printed at the start. */
export function describeMail(config: Config): string {
  return config.mail.transports.map((way) => describeWay(way, config)).join(', ');
}

function describeWay(way: Way, config: Config): string {
  switch (way) {
    case 'smtp':
      return `smtp://${config['mail.smtp'].host}:${config['mail.smtp'].port}`;
    case 'webhook':
      return config['mail.webhook'].url ?? '';
    case 'file':
      return `${mailFolder(config)}/*.eml`;
  }
}

/**
 * The operator's own templates, read once: `LOCALE/NAME.txt` (its first line is the subject) and
 * `LOCALE/NAME.html`.
 *
 * @throws {CliRefusal} the folder doesn't exist, or contains an unknown name
 */
export function ownTemplates(folder: string | undefined): FindTemplate {
  if (folder === undefined) return () => null;
  if (!existsSync(folder))
    throw new CliRefusal(
      EXIT.config,
      `${folder} does not exist. Create it, or change mail.templates_dir.`,
    );
  const found = new Map<string, OwnTemplate>();
  for (const locale of readdirSync(folder, { withFileTypes: true })) {
    if (!locale.isDirectory()) continue;
    for (const [template, own] of templatesIn(join(folder, locale.name)))
      found.set(`${locale.name}/${template}`, own);
  }
  return (template, locale) => found.get(`${locale}/${template}`) ?? null;
}

/**
 * The templates of one locale. @throws {CliRefusal} a file is not a template, or its .txt file is
 * missing
 */
function* templatesIn(folder: string): Generator<[TemplateName, OwnTemplate]> {
  for (const file of readdirSync(folder)) {
    const [, name, ending] = /^([a-z_]+)\.(txt|html)$/.exec(file) ?? [];
    const template = TEMPLATES.find((candidate) => candidate === name);
    if (template === undefined)
      throw new CliRefusal(
        EXIT.config,
        `${join(folder, file)} is not a template. There are ${TEMPLATES.join(', ')}, each as .txt and .html.`,
      );
    if (ending === 'txt') yield [template, ownTemplate(folder, template)];
    else if (!existsSync(join(folder, `${template}.txt`)))
      throw new CliRefusal(
        EXIT.config,
        `${join(folder, file)} has no ${template}.txt beside it, which contains the subject and the plain text.`,
      );
  }
}

function ownTemplate(folder: string, template: TemplateName): OwnTemplate {
  const html = join(folder, `${template}.html`);
  return {
    text: readFileSync(join(folder, `${template}.txt`), 'utf8').replaceAll('\r\n', '\n'),
    html: existsSync(html) ? readFileSync(html, 'utf8') : null,
  };
}
