/** Posts text messages to the HTTP interface of a provider, as a form or as JSON. */
import { isJsonObject } from '../lib/json.ts';
import { POST_TIMEOUT_MS, postOnce } from './post.ts';
import type { OutgoingSms, Transport } from './transport.ts';

export interface GatewayOptions {
  readonly url: string;
  /** The value of the Authorization field. */
  readonly authorization: string | undefined;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Members of a form, with `{to}` and `{text}` in their values; unused if there is JSON. */
  readonly form: readonly (readonly [name: string, value: string])[];
  /** A JSON object with `{to}` and `{text}` within its texts. */
  readonly json: string | undefined;
  readonly timeoutMs?: number;
}

type Values = Pick<OutgoingSms, 'to' | 'text'>;

/** One pass: a text is never scanned for placeholders. */
const filled = (template: string, { to, text }: Values): string =>
  template.replace(/\{(to|text)\}/g, (_, name) => (name === 'to' ? to : text));

/** Fills the texts of a JSON value, so that nothing in a message can end one. */
function filledJson(value: unknown, values: Values): unknown {
  if (typeof value === 'string') return filled(value, values);
  if (Array.isArray(value)) return value.map((one) => filledJson(one, values));
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [name, filledJson(one, values)]),
  );
}

export function gatewayTransport(options: GatewayOptions): Transport<OutgoingSms> {
  const { url, authorization, form, json, timeoutMs = POST_TIMEOUT_MS } = options;
  const template: unknown = json === undefined ? undefined : JSON.parse(json);
  const bodyOf = (sms: OutgoingSms): string =>
    json === undefined
      ? new URLSearchParams(
          form.map(([name, value]): [string, string] => [name, filled(value, sms)]),
        ).toString()
      : JSON.stringify(filledJson(template, sms));
  const type = json === undefined ? 'application/x-www-form-urlencoded' : 'application/json';
  return {
    name: 'gateway',
    rehearse: (sms) => {
      bodyOf(sms);
      return Promise.resolve();
    },
    send: (sms, signal) => {
      const headers = {
        ...Object.fromEntries(options.headers),
        'content-type': type,
        'idempotency-key': sms.id,
        ...(authorization === undefined ? {} : { authorization }),
      };
      return postOnce({ url, headers, body: bodyOf(sms), timeoutMs, signal });
    },
    close: () => undefined,
  };
}
