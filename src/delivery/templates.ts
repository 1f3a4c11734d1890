/**
 * What letters say: pure templates, plain text and HTML of the same words. Values are escaped where
 * they go into HTML and never become a template (ASVS 1.3.7); an operator's own letters come from a
 * folder, by locale.
 */
import type { LetterName, LetterValues } from '../core/email/outbox.ts';

export interface RenderedLetter {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

/** An own letter: its first line is the subject, `{{name}}` stands for a value. */
export interface OwnTemplate {
  readonly text: string;
  readonly html: string | null;
}

/** Finds an own letter for a locale; null when there is none. */
export type FindTemplate = (letter: LetterName, locale: string) => OwnTemplate | null;

interface Template {
  readonly subject: string;
  readonly lines: readonly string[];
}

const IGNORE = 'If this was not you, you can ignore this letter.';
const ACT = 'If this was not you, reset your password now, and tell those who run {{service}}.';

const TEMPLATES: Readonly<Record<LetterName, Template>> = {
  verify_registration: {
    subject: 'Your code for {{service}}: {{code}}',
    lines: [
      'Somebody, probably you, is making an account at {{service}} with this address.',
      'Your code: {{code}}',
      'It is good for 10 minutes. Or open this link and enter the password that you chose:',
      '{{link}}',
      IGNORE,
    ],
  },
  account_exists: {
    subject: 'You already have an account at {{service}}',
    lines: [
      'Somebody, probably you, tried to use this address for an account at {{service}}. There is one with it already: sign in, or ask for a new password.',
      IGNORE,
    ],
  },
  verify_address: {
    subject: 'Your code for {{service}}: {{code}}',
    lines: [
      'Enter this code to prove that this address is yours:',
      '{{code}}',
      'It is good for 10 minutes.',
      IGNORE,
    ],
  },
  reset_password: {
    subject: 'Reset your password at {{service}}',
    lines: [
      'Somebody, probably you, asked for a new password at {{service}}. Open this link to choose one:',
      '{{link}}',
      'Or enter this code where you are asked for it:',
      '{{token}}',
      IGNORE,
    ],
  },
  password_changed: {
    subject: 'Your password at {{service}} was changed',
    lines: [
      'The password of your account at {{service}} was changed, and other devices were signed out.',
      ACT,
    ],
  },
  address_change_requested: {
    subject: 'A new address for your account at {{service}}',
    lines: [
      'Somebody, probably you, asked to use another address for your account at {{service}}: {{new_address}}',
      'Until it is proved, this one stays in force.',
      ACT,
    ],
  },
  address_changed: {
    subject: 'Your address at {{service}} was changed',
    lines: [
      'Your account at {{service}} has another address now. Letters no longer come to this one.',
      ACT,
    ],
  },
  unusual_sign_in: {
    subject: 'A sign-in at {{service}} after many failures',
    lines: [
      'Somebody, probably you, entered the right password of your account at {{service}} after {{failures}} wrong ones, from {{address}}.',
      ACT,
    ],
  },
  factor_added: {
    subject: 'A new way to sign in at {{service}}',
    lines: [
      'To your account at {{service}} was added: {{factor}}. Other devices were signed out.',
      ACT,
    ],
  },
  factor_removed: {
    subject: 'A way to sign in at {{service}} was removed',
    lines: [
      'From your account at {{service}} was removed: {{factor}}. Other devices were signed out.',
      ACT,
    ],
  },
  recovery_codes_renewed: {
    subject: 'New recovery codes for {{service}}',
    lines: [
      'Your account at {{service}} has new recovery codes. The old ones no longer work, and other devices were signed out.',
      ACT,
    ],
  },
  recovery_code_used: {
    subject: 'A recovery code was used at {{service}}',
    lines: [
      'Somebody, probably you, used a recovery code of your account at {{service}}, from {{address}}. Codes left: {{left}}. Make new ones before they run out.',
      ACT,
    ],
  },
  second_factor_failed: {
    subject: 'Somebody has your password for {{service}}',
    lines: [
      'Somebody signed in to your account at {{service}} with the right password, and then {{failures}} wrong codes or keys in a row, from {{address}}. They did not get in.',
      'If this was not you, change your password now: others know it.',
    ],
  },
  passkey_suspect: {
    subject: 'A passkey of yours at {{service}} may have been copied',
    lines: [
      'The passkey {{factor}} of your account at {{service}} answered with a counter that was used before, from {{address}}. It was refused: there may be a copy of it. Remove it, and add a new one.',
      ACT,
    ],
  },
  sign_in_code: {
    subject: 'Your code for {{service}}: {{code}}',
    lines: [
      'Your code to sign in to {{service}}:',
      '{{code}}',
      'It is good for 10 minutes. Nobody who works for {{service}} will ever ask you for it.',
      IGNORE,
    ],
  },
  test: {
    subject: 'A test letter from {{service}}',
    lines: ['If you read this, {{service}} can send letters.'],
  },
};

const PLACEHOLDER = /\{\{([a-z_]{1,32})\}\}/g;

function fill(template: string, values: LetterValues, encode: (value: string) => string): string {
  // One pass: what a value holds is never looked at again.
  return template.replace(PLACEHOLDER, (_, name: string) => encode(values[name] ?? ''));
}

/** For HTML text and quoted attributes alike. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"'`]/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** One line without control characters: what a header can hold (H10). */
function oneLine(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ').trim();
}

/** Plain text, where a value must not begin lines of its own. */
const plain = (value: string): string => oneLine(value);

function htmlOf(lines: readonly string[], values: LetterValues): string {
  const paragraphs = lines.map((line) => {
    const filled = fill(escapeHtml(line), values, escapeHtml);
    return line === '{{link}}'
      ? `<p><a href="${filled}">${filled}</a></p>`
      : line === '{{code}}'
        ? `<p><strong>${filled}</strong></p>`
        : `<p>${filled}</p>`;
  });
  return `<!doctype html>\n<html><body>\n${paragraphs.join('\n')}\n</body></html>\n`;
}

/**
 * Renders a letter: the operator's own for the locale, its language, English, or the one that comes
 * with the program.
 */
export function renderLetter(
  letter: LetterName,
  values: LetterValues,
  service: string,
  find: FindTemplate,
): RenderedLetter {
  const all: LetterValues = { ...values, service };
  const locale = values['locale'] ?? 'en';
  const own =
    find(letter, locale) ?? find(letter, locale.split('-')[0] ?? 'en') ?? find(letter, 'en');
  if (own === null) {
    const { subject, lines } = TEMPLATES[letter];
    return {
      subject: oneLine(fill(subject, all, plain)),
      text: `${lines.map((line) => fill(line, all, plain)).join('\n\n')}\n`,
      html: htmlOf(lines, all),
    };
  }
  const [subject = '', ...rest] = own.text.split('\n');
  const body = rest.join('\n').replace(/^\n+/, '');
  const text = fill(body, all, plain);
  const html =
    own.html === null
      ? htmlOf(body.trimEnd().split(/\n{2,}/), all)
      : fill(own.html, all, escapeHtml);
  return { subject: oneLine(fill(subject.replace(/^Subject:\s*/i, ''), all, plain)), text, html };
}
