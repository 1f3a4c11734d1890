/**
 * The ways to send letters, out of the configuration: transports in order, and the operator's own
 * letters from their folder.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Config } from '../config/schema.ts';
import { LETTERS } from '../core/email/outbox.ts';
import type { LetterName } from '../core/email/outbox.ts';
import { databaseFile } from '../db/open.ts';
import { folderTransport } from '../delivery/eml-folder.ts';
import type { FindTemplate, OwnTemplate } from '../delivery/templates.ts';
import { smtpTransport } from '../delivery/smtp.ts';
import type { Transport } from '../delivery/transport.ts';
import { webhookTransport } from '../delivery/webhook.ts';
import type { Clock } from '../lib/clock.ts';
import { CliRefusal, EXIT } from './exit.ts';

/** Where letters are put as files: the configured folder, else beside the database. */
export function mailFolder(config: Config): string {
  const configured = config['mail.file'].dir;
  if (configured !== undefined) return configured;
  const database = databaseFile(config.database.url);
  return database === null ? 'mail' : join(dirname(database), 'mail');
}

export function mailTransports(config: Config, clock: Clock): readonly Transport[] {
  const from = { address: config.mail.from, name: config.mail.from_name };
  const ways = config.mail.transports.length === 0 ? ['file' as const] : config.mail.transports;
  return ways.map((way) => {
    switch (way) {
      case 'smtp':
        return smtpTransport({ ...config['mail.smtp'], from });
      case 'webhook':
        return webhookTransport({
          url: config['mail.webhook'].url ?? '',
          secret: config['mail.webhook'].secret ?? '',
          clock,
        });
      case 'file':
        return folderTransport({ dir: mailFolder(config), from });
    }
  });
}

/** How the ways are shown at the start. */
export function describeMail(config: Config): string {
  const { transports } = config.mail;
  return transports
    .map((way) =>
      way === 'smtp'
        ? `smtp://${config['mail.smtp'].host}:${config['mail.smtp'].port}`
        : way === 'webhook'
          ? (config['mail.webhook'].url ?? '')
          : `${mailFolder(config)}/*.eml`,
    )
    .join(', ');
}

/**
 * The operator's own letters, read once: `LOCALE/LETTER.txt` (first line the subject) and
 * `LOCALE/LETTER.html`.
 *
 * @throws {CliRefusal} the folder is not there, or holds a letter that there is not
 */
export function ownTemplates(folder: string | undefined): FindTemplate {
  if (folder === undefined) return () => null;
  if (!existsSync(folder))
    throw new CliRefusal(
      EXIT.config,
      `${folder} is not there. Make it, or change mail.templates_dir.`,
    );
  const found = new Map<string, OwnTemplate>();
  for (const locale of readdirSync(folder, { withFileTypes: true })) {
    if (!locale.isDirectory()) continue;
    for (const file of readdirSync(join(folder, locale.name))) {
      const [, name, ending] = /^([a-z_]+)\.(txt|html)$/.exec(file) ?? [];
      const letter = LETTERS.find((candidate) => candidate === name);
      if (letter === undefined)
        throw new CliRefusal(
          EXIT.config,
          `${join(folder, locale.name, file)} is no letter. There are ${LETTERS.join(', ')}, each as .txt and .html.`,
        );
      if (ending === 'txt')
        found.set(`${locale.name}/${letter}`, ownTemplate(join(folder, locale.name), letter));
      else if (!existsSync(join(folder, locale.name, `${letter}.txt`)))
        throw new CliRefusal(
          EXIT.config,
          `${join(folder, locale.name, file)} has no ${letter}.txt beside it, which holds the subject and the plain text.`,
        );
    }
  }
  return (letter, locale) => found.get(`${locale}/${letter}`) ?? null;
}

function ownTemplate(folder: string, letter: LetterName): OwnTemplate {
  const html = join(folder, `${letter}.html`);
  return {
    text: readFileSync(join(folder, `${letter}.txt`), 'utf8').replaceAll('\r\n', '\n'),
    html: existsSync(html) ? readFileSync(html, 'utf8') : null,
  };
}
