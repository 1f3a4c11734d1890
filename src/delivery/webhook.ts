/**
 * Posts emails as JSON to a program of the operator's. The signature covers time and body, so that
 * neither can be changed nor replayed: `Postern-Signature: t=<seconds>,v1=<hex HMAC-SHA-256 of
 * "<seconds>.<body>">`. The email's id is the idempotency key, because it may be delivered twice.
 * Redirects are not followed (ASVS 15.3.2).
 */
import { signBody } from '../crypto/body-signature.ts';
import type { Clock } from '../lib/clock.ts';
import { DeliveryError } from './transport.ts';
import type { OutgoingEmail, Transport } from './transport.ts';

export interface WebhookOptions {
  readonly url: string;
  readonly secret: string;
  readonly clock: Pick<Clock, 'now'>;
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 10_000;

/** 4xx statuses that a retry, or the operator, can fix. */
const CURABLE: ReadonlySet<number> = new Set([401, 403, 404, 408, 409, 425, 429]);

export function webhookTransport({
  url,
  secret,
  clock,
  timeoutMs = TIMEOUT_MS,
}: WebhookOptions): Transport {
  const { host } = new URL(url);
  const signed = ({ id, template, to, subject, text, html, values }: OutgoingEmail) => {
    const body = JSON.stringify({ id, letter: template, to, subject, text, html, values });
    return { body, signature: signBody(secret, body, clock.now()) };
  };
  return {
    name: 'webhook',
    rehearse: (email) => {
      signed(email);
      return Promise.resolve();
    },
    send: async (email, signal) => {
      const { body, signature } = signed(email);
      const timeout = AbortSignal.timeout(timeoutMs);
      let status: number;
      try {
        const response = await fetch(url, {
          method: 'POST',
          redirect: 'manual',
          signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
          headers: {
            'content-type': 'application/json',
            'idempotency-key': email.id,
            'postern-signature': signature,
          },
          body,
        });
        status = response.status;
        await response.body?.cancel();
      } catch (cause) {
        throw new DeliveryError(
          `${host} could not be reached, or did not answer in ${timeoutMs / 1000} s`,
          'transient',
          { cause },
        );
      }
      if (status >= 200 && status < 300) return;
      // 4xx is permanent, except for "too early", "too many requests" and similar codes.
      const isPermanent = status >= 400 && status < 500 && !CURABLE.has(status);
      throw new DeliveryError(
        `${host} answered ${status}`,
        isPermanent ? 'permanent' : 'transient',
      );
    },
    close: () => undefined,
  };
}
