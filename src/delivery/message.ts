/** The message of an email, for the transports that speak MIME. */
import type { OutgoingEmail } from './transport.ts';

export interface Sender {
  readonly address: string;
  readonly name: string;
  /** Where answers go, if not to the sender's address. */
  readonly replyTo?: string | undefined;
}

/**
 * Sets headers that suppress automatic replies. The recipient is an address object, because a
 * string would be parsed as a list (T7). The Message-ID is in the sender's domain, and the same
 * when an email is sent again.
 */
function headersOf(email: OutgoingEmail, from: Sender): object {
  return {
    from: { name: from.name, address: from.address },
    to: { name: '', address: email.to },
    ...(from.replyTo === undefined ? {} : { replyTo: { name: '', address: from.replyTo } }),
    subject: email.subject,
    messageId: `<${email.id}@${from.address.slice(from.address.indexOf('@') + 1)}>`,
    headers: { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All' },
    disableFileAccess: true,
    disableUrlAccess: true,
  };
}

export function messageOf(email: OutgoingEmail, from: Sender): object {
  return { ...headersOf(email, from), text: email.text, html: email.html };
}

/** The whole message as it would be sent. */
export function composeEmail(email: OutgoingEmail, from: Sender): Promise<Buffer> {
  return compose(messageOf(email, from));
}

/** The message with 8-bit parts: a code or link in the file is readable and can be copied. */
export function composeReadableEmail(email: OutgoingEmail, from: Sender): Promise<Buffer> {
  const part = (type: string, content: string): object => ({
    raw: `Content-Type: ${type}; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n${content}`,
  });
  const alternatives = [part('text/plain', email.text), part('text/html', email.html)];
  return compose({ ...headersOf(email, from), alternatives });
}

async function compose(content: object): Promise<Buffer> {
  const { createTransport } = await import('nodemailer');
  const composer = createTransport({ streamTransport: true, buffer: true, newline: 'unix' });
  const { message } = await composer.sendMail(content);
  return Buffer.isBuffer(message) ? message : Buffer.from(String(message));
}
