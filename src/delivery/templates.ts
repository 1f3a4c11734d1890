/**
 * The emails' texts: pure templates, plain text and HTML with the same words. Values are escaped in
 * HTML and never interpreted as a template (ASVS 1.3.7); an operator's own templates come from a
 * folder, by locale.
 */
import type { TemplateName, TemplateValues } from '../core/email/templates.ts';

export interface RenderedEmail {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

/** An operator's template: its first line is the subject, `{{name}}` is replaced by a value. */
export interface OwnTemplate {
  readonly text: string;
  readonly html: string | null;
}

/** Finds an operator's template for a locale; null if there is none. */
export type FindTemplate = (template: TemplateName, locale: string) => OwnTemplate | null;

interface Template {
  readonly subject: string;
  readonly lines: readonly string[];
}

const IGNORE = 'If this was not you, you can ignore this email.';
const ACT =
  'If this was not you, reset your password now and contact the operators of {{service}}.';

const TEXTS: Readonly<Record<TemplateName, Template>> = {
  verify_registration: {
    subject: 'Your code for {{service}}: {{code}}',
    lines: [
      'Someone, probably you, is creating an account at {{service}} with this email address.',
      'Your code: {{code}}',
      'It is valid for 10 minutes. Or open this link and enter the password that you chose:',
      '{{link}}',
      IGNORE,
    ],
  },
  account_exists: {
    subject: 'You already have an account at {{service}}',
    lines: [
      'Someone, probably you, tried to create an account at {{service}} with this email address. You already have one: sign in, or reset your password.',
      IGNORE,
    ],
  },
  verify_address: {
    subject: 'Your code for {{service}}: {{code}}',
    lines: [
      'Enter this code to verify that this email address is yours:',
      '{{code}}',
      'It is valid for 10 minutes.',
      IGNORE,
    ],
  },
  reset_password: {
    subject: 'Reset your password at {{service}}',
    lines: [
      'Someone, probably you, asked to reset your password at {{service}}. Open this link to choose a new one:',
      '{{link}}',
      'Or enter this code where you are asked for it:',
      '{{token}}',
      IGNORE,
    ],
  },
  password_changed: {
    subject: 'Your password at {{service}} was changed',
    lines: [
      'The password of your account at {{service}} was changed, and your other devices were signed out.',
      ACT,
    ],
  },
  address_change_requested: {
    subject: 'A new email address for your account at {{service}}',
    lines: [
      'Someone, probably you, asked to change the email address of your account at {{service}} to {{new_address}}',
      'Until the new address is verified, this one stays in use.',
      ACT,
    ],
  },
  address_changed: {
    subject: 'Your email address at {{service}} was changed',
    lines: [
      'Your account at {{service}} now has another email address. This address will receive no further emails.',
      ACT,
    ],
  },
  unusual_sign_in: {
    subject: 'A sign-in to {{service}} after many failed attempts',
    lines: [
      'Someone, probably you, entered the right password for your account at {{service}} after {{failures}} wrong ones, from {{address}}.',
      ACT,
    ],
  },
  factor_added: {
    subject: 'A sign-in method was added at {{service}}',
    lines: [
      'This was added to your account at {{service}}: {{factor}}. Your other devices were signed out.',
      ACT,
    ],
  },
  factor_removed: {
    subject: 'A sign-in method was removed at {{service}}',
    lines: [
      'This was removed from your account at {{service}}: {{factor}}. Your other devices were signed out.',
      ACT,
    ],
  },
  recovery_codes_renewed: {
    subject: 'New recovery codes for {{service}}',
    lines: [
      'Your account at {{service}} has new recovery codes. The old ones no longer work, and your other devices were signed out.',
      ACT,
    ],
  },
  recovery_code_used: {
    subject: 'A recovery code was used at {{service}}',
    lines: [
      'Someone, probably you, used a recovery code of your account at {{service}}, from {{address}}. Codes left: {{left}}. Generate new ones before they run out.',
      ACT,
    ],
  },
  second_factor_failed: {
    subject: 'Someone knows your password for {{service}}',
    lines: [
      'Someone entered the right password for your account at {{service}}, and then {{failures}} wrong codes or passkeys in a row, from {{address}}. They were not signed in.',
      'If this was not you, change your password now: someone else knows it.',
    ],
  },
  passkey_suspect: {
    subject: 'One of your passkeys at {{service}} may have been copied',
    lines: [
      'The passkey {{factor}} of your account at {{service}} repeated an earlier counter value, from {{address}}, so there may be a copy of it. The sign-in was refused. Remove this passkey and add a new one.',
      ACT,
    ],
  },
  sign_in_code: {
    subject: 'Your code for {{service}}: {{code}}',
    lines: [
      'Your code to sign in to {{service}}:',
      '{{code}}',
      'It is valid for 10 minutes. Nobody from {{service}} will ever ask you for it.',
      IGNORE,
    ],
  },
  test: {
    subject: 'A test email from {{service}}',
    lines: ['If you can read this, {{service}} can send emails.'],
  },
};

const PLACEHOLDER = /\{\{([a-z_]{1,32})\}\}/g;

function fill(template: string, values: TemplateValues, encode: (value: string) => string): string {
  // One pass: values are never scanned for placeholders.
  return template.replace(PLACEHOLDER, (_, name: string) => encode(values[name] ?? ''));
}

/** Escapes for HTML text and quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"'`]/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** One line without control characters, safe in a header (H10). */
function oneLine(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ').trim();
}

/** Plain text, where a value must not begin new lines. */
const plain = (value: string): string => oneLine(value);

function htmlOf(lines: readonly string[], values: TemplateValues): string {
  const paragraphs = lines.map((line) => {
    const filled = fill(escapeHtml(line), values, escapeHtml);
    return `<p>${emphasise(line, filled)}</p>`;
  });
  return `<!doctype html>\n<html><body>\n${paragraphs.join('\n')}\n</body></html>\n`;
}

/** What a line of its own is there for, a link or a code, so that it is found at once. */
function emphasise(line: string, filled: string): string {
  if (line === '{{link}}') return `<a href="${filled}">${filled}</a>`;
  return line === '{{code}}' ? `<strong>${filled}</strong>` : filled;
}

/**
 * Renders an email with the operator's template for the locale, for its language or for English, or
 * else with the built-in one.
 */
export function renderEmail(
  template: TemplateName,
  values: TemplateValues,
  service: string,
  find: FindTemplate,
): RenderedEmail {
  const all: TemplateValues = { ...values, service };
  const locale = values['locale'] ?? 'en';
  const own =
    find(template, locale) ?? find(template, locale.split('-')[0] ?? 'en') ?? find(template, 'en');
  if (own === null) {
    const { subject, lines } = TEXTS[template];
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
