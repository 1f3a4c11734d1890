/** `postern mail show`: the emails in the folder, for developers. */
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { CliRefusal, EXIT } from './exit.ts';
import { loadConfig } from './load-config.ts';
import { mailFolder } from './mail-ways.ts';
import { JSON_OPTION } from './verb.ts';
import type { Verb } from './verb.ts';

const ENDING = '.eml';

interface FolderEmail {
  readonly id: string;
  readonly writtenAt: Date;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  /** The first link in the text, if there is one. */
  readonly link: string | null;
}

export const mailShow: Verb = {
  name: 'mail show',
  summary: 'Shows emails that were written to the folder mail.file.dir: their text, their link.',
  examples: ['postern mail show --last', 'postern mail show --json'],
  arguments: [{ name: '[id]', sentence: 'the id of one email; default: a line for each' }],
  options: [{ flags: '--last', sentence: 'the whole newest email' }, JSON_OPTION],
  run: (call) => {
    const folder = mailFolder(loadConfig(call).config);
    const emails = emailsOf(folder);
    const shown = call.has('last')
      ? emails.slice(-1)
      : emails.filter(({ id }) => (call.arguments[0] ?? id) === id);
    if (shown.length === 0)
      throw new CliRefusal(
        EXIT.failed,
        `${folder} has no such email. Emails are written there while mail.transports is empty or has "file"; postern outbox list shows those that wait.`,
      );
    const isWhole = call.has('last') || call.arguments.length > 0;
    for (const email of shown) {
      if (call.has('json')) call.output.answerJson(jsonOf(email));
      else call.output.answer(isWhole ? wholeOf(email) : lineOf(email));
    }
    return EXIT.done;
  },
};

/** Oldest first. */
function emailsOf(folder: string): readonly FolderEmail[] {
  let names: readonly string[];
  try {
    names = readdirSync(folder);
  } catch {
    return [];
  }
  return names
    .filter((name) => name.endsWith(ENDING))
    .map((name) => emailOf(folder, name))
    .sort((a, b) => a.writtenAt.getTime() - b.writtenAt.getTime() || (a.id < b.id ? -1 : 1));
}

function emailOf(folder: string, name: string): FolderEmail {
  const path = join(folder, name);
  const raw = readFileSync(path, 'utf8');
  const head = raw.slice(0, raw.indexOf('\n\n')).replaceAll(/\n[ \t]+/g, ' ');
  const header = (wanted: string): string =>
    new RegExp(`^${wanted}: (.*)$`, 'im').exec(head)?.[1] ?? '';
  // Between the empty line after the part's own headers and the next boundary.
  const text =
    /^Content-Type: text\/plain[^\n]*\n(?:[^\n]+\n)*\n([\s\S]*?)\n--/im.exec(raw)?.[1] ?? '';
  return {
    id: name.slice(0, -ENDING.length),
    writtenAt: statSync(path).mtime,
    to: header('To'),
    subject: decodedWords(header('Subject')),
    text: text.trim(),
    link: /https?:\/\/\S+/.exec(text)?.[0] ?? null,
  };
}

/** Encoded words of a header (RFC 2047), as nodemailer writes them. */
function decodedWords(header: string): string {
  return header
    .replaceAll(/(\?=)\s+(=\?)/g, '$1$2')
    .replaceAll(/=\?utf-8\?([bq])\?([^?]*)\?=/gi, (_, form: string, word: string) =>
      form.toLowerCase() === 'b'
        ? Buffer.from(word, 'base64').toString('utf8')
        : Buffer.from(
            word
              .replaceAll('_', ' ')
              .replaceAll(/=([0-9A-F]{2})/gi, (_all, hex: string) =>
                String.fromCharCode(Number.parseInt(hex, 16)),
              ),
            'latin1',
          ).toString('utf8'),
    );
}

function jsonOf({ writtenAt, ...email }: FolderEmail): Record<string, unknown> {
  return { ...email, written_at: writtenAt.toISOString() };
}

function lineOf({ id, writtenAt, to, subject }: FolderEmail): string {
  return `${id}  ${writtenAt.toISOString().slice(0, 19)}Z  ${to}  ${subject}`;
}

function wholeOf({ to, subject, text, link }: FolderEmail): string {
  const head = `To: ${to}\nSubject: ${subject}\n\n${text}`;
  return link === null ? head : `${head}\n\nlink  ${link}`;
}
