/**
 * The text of a message. Its last line binds the code to the domain of the page: browsers offer it
 * there and on no other page (a phishing page).
 *
 * @see https://wicg.github.io/sms-one-time-codes/
 */
import type { TemplateValues } from '../core/email/templates.ts';

export interface SmsText {
  /** With `{code}`, `{service}` and `{minutes}`. */
  readonly text: string;
  readonly service: string;
  readonly domain: string;
}

export function smsText({ text, service, domain }: SmsText, values: TemplateValues): string {
  const { code = '', code_minutes: minutes = '' } = values;
  const own: Readonly<Record<string, string>> = { code, service, minutes };
  const words = text.replace(/\{(code|service|minutes)\}/g, (_, name: string) => own[name] ?? '');
  return `${words}\n\n@${domain} #${code}`;
}
