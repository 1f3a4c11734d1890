/**
 * The text of a message. Its last line binds the code to the domain of the page: browsers offer it
 * there and on no other page (a phishing page).
 *
 * @see https://wicg.github.io/sms-one-time-codes/
 */
export interface SmsText {
  /** With `{code}`, `{service}` and `{minutes}`. */
  readonly text: string;
  readonly service: string;
  readonly domain: string;
}

export function smsText(
  { text, service, domain }: SmsText,
  values: Readonly<Record<string, string>>,
): string {
  const { code = '', code_minutes: minutes = '' } = values;
  const own: Readonly<Record<string, string>> = { code, service, minutes };
  const words = text.replace(/\{(code|service|minutes)\}/g, (_, name: string) => own[name] ?? '');
  return `${words}\n\n@${domain} #${code}`;
}

/** The alphabet of GSM 03.38; the characters of its extension take the place of two. */
const BASIC =
  '@\u00a3$\u00a5\u00e8\u00e9\u00f9\u00ec\u00f2\u00c7\n\u00d8\u00f8\r\u00c5\u00e5\u0394_\u03a6\u0393\u039b\u03a9\u03a0\u03a8\u03a3\u0398\u039e\u00c6\u00e6\u00df\u00c9 !"#\u00a4%&\'()*+,-./0123456789:;<=>?\u00a1ABCDEFGHIJKLMNOPQRSTUVWXYZ\u00c4\u00d6\u00d1\u00dc\u00a7\u00bfabcdefghijklmnopqrstuvwxyz\u00e4\u00f6\u00f1\u00fc\u00e0';
const EXTENSION = '^{}\\[~]|\u20ac';

/** How many messages a text takes, as providers bill it. */
export function messagesOf(text: string): number {
  const places = [...text].map((one) => {
    if (BASIC.includes(one)) return 1;
    return EXTENSION.includes(one) ? 2 : Number.NaN;
  });
  const sum = places.reduce((total, one) => total + one, 0);
  if (!Number.isNaN(sum)) return sum <= 160 ? 1 : Math.ceil(sum / 153);
  return text.length <= 70 ? 1 : Math.ceil(text.length / 67);
}
