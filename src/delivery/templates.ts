/**
 * Renders emails from templates, as plain text and HTML with the same words. Values are escaped in
 * HTML and never interpreted as a template (ASVS 1.3.7); an operator's own templates come from a
 * folder, by locale.
 */
import type { TemplateName, TemplateValues } from '../core/email/templates.ts';
import { htmlPage, plainText } from './layout.ts';
import { TEXTS } from './texts.ts';
import type { EmailText } from './texts.ts';

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

/** A time in minutes in the words of a locale: "1 hour", "10 Minuten". */
function durationText(minutes: number, locale: string): string {
  const isWhole = minutes % 60 === 0;
  const style = { style: 'unit', unitDisplay: 'long' } as const;
  const [unit, count] = isWhole
    ? (['hour', minutes / 60] as const)
    : (['minute', minutes] as const);
  return new Intl.NumberFormat(locale, { ...style, unit }).format(count);
}

/** The locale as a browser and `Intl` accept it, else English: it may come from a folder's name. */
function knownLocale(locale: string): string {
  try {
    return Intl.getCanonicalLocales(locale)[0] ?? 'en';
  } catch {
    return 'en';
  }
}

/** Values derived from others: `code_minutes` gives `code_valid_for`. */
function withDerived(values: TemplateValues, locale: string): TemplateValues {
  const derived: Record<string, string> = {};
  for (const name of ['code', 'link']) {
    const minutes = Number(values[`${name}_minutes`]);
    if (minutes > 0) derived[`${name}_valid_for`] = durationText(minutes, locale);
  }
  return { ...values, ...derived };
}

interface Found {
  readonly own: OwnTemplate | null;
  readonly locale: string;
}

/** The operator's template for the locale, for its language or for English. */
function findOwn(template: TemplateName, locale: string, find: FindTemplate): Found {
  for (const candidate of [locale, locale.split('-')[0] ?? 'en', 'en']) {
    const own = find(template, candidate);
    if (own !== null) return { own, locale: knownLocale(candidate) };
  }
  return { own: null, locale: 'en' };
}

/** A template in its file format: the subject, an empty line, paragraphs. */
function parseText(text: string): EmailText {
  const [subject = '', ...rest] = text.split('\n');
  const body = rest.join('\n').trim();
  return { subject: subject.replace(/^Subject:\s*/i, ''), lines: body.split(/\n{2,}/) };
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
  const { own, locale } = findOwn(template, values['locale'] ?? 'en', find);
  const all = withDerived({ ...values, service }, locale);
  const text = own === null ? TEXTS[template] : parseText(own.text);
  const asText = (part: string): string => fill(part, all, oneLine);
  const asHtml = (part: string): string => fill(part, all, escapeHtml);
  const subject = oneLine(asText(text.subject));
  const page = { locale, title: escapeHtml(subject), service: escapeHtml(service) };
  return {
    subject,
    text: plainText(text.lines, asText),
    html:
      own?.html == null
        ? htmlPage(text.lines, (part) => asHtml(escapeHtml(part)), page)
        : asHtml(own.html),
  };
}
