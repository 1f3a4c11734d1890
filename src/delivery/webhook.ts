/**
 * Posts emails and text messages as JSON to a program of the operator's. The signature covers time
 * and body, so that neither can be changed nor replayed: `Postern-Signature: t=<seconds>,v1=<hex
 * HMAC-SHA-256 of "<seconds>.<body>">`. The message's id is the idempotency key, because it may be
 * delivered twice.
 */
import { signBody } from '../crypto/body-signature.ts';
import type { Clock } from '../lib/clock.ts';
import { POST_TIMEOUT_MS, postOnce } from './post.ts';
import type { OutgoingEmail, OutgoingSms, Transport } from './transport.ts';

export interface WebhookOptions {
  readonly url: string;
  readonly secret: string;
  readonly clock: Pick<Clock, 'now'>;
  readonly timeoutMs?: number;
}

type Payload<Message> = (message: Message) => object;

const emailPayload: Payload<OutgoingEmail> = ({
  id,
  template,
  to,
  subject,
  text,
  html,
  values,
}) => ({ id, letter: template, to, subject, text, html, values });

const smsPayload: Payload<OutgoingSms> = ({ id, template, to, country, text, values }) => ({
  id,
  letter: template,
  to,
  country,
  text,
  values,
});

function signedTransport<Message extends { readonly id: string }>(
  { url, secret, clock, timeoutMs = POST_TIMEOUT_MS }: WebhookOptions,
  payload: Payload<Message>,
): Transport<Message> {
  const signed = (message: Message) => {
    const body = JSON.stringify(payload(message));
    return { body, signature: signBody(secret, body, clock.now()) };
  };
  return {
    name: 'webhook',
    rehearse: (message) => {
      signed(message);
      return Promise.resolve();
    },
    send: (message, signal) => {
      const { body, signature } = signed(message);
      const headers = {
        'content-type': 'application/json',
        'idempotency-key': message.id,
        'postern-signature': signature,
      };
      return postOnce({ url, headers, body, timeoutMs, signal });
    },
    close: () => undefined,
  };
}

export const webhookTransport = (options: WebhookOptions): Transport =>
  signedTransport(options, emailPayload);

export const smsWebhookTransport = (options: WebhookOptions): Transport<OutgoingSms> =>
  signedTransport(options, smsPayload);
