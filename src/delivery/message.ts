/** The message of an email, for the transports that speak MIME. */
import type { OutgoingEmail } from './transport.ts';

export interface Sender {
  readonly address: string;
  readonly name: string;
}

/**
 * Headers that ask for no replies and no automatic answers; the recipient is an address object, for
 * a text would be read as a list (T7).
 */
export function messageOf(email: OutgoingEmail, from: Sender): object {
  return {
    from: { name: from.name, address: from.address },
    to: { name: '', address: email.to },
    subject: email.subject,
    text: email.text,
    html: email.html,
    messageId: `<${email.id}@${from.address.slice(from.address.indexOf('@') + 1)}>`,
    headers: { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All' },
    disableFileAccess: true,
    disableUrlAccess: true,
  };
}

/** The whole message as it would be sent. */
export async function composeEmail(email: OutgoingEmail, from: Sender): Promise<Buffer> {
  const { createTransport } = await import('nodemailer');
  const composer = createTransport({ streamTransport: true, buffer: true, newline: 'unix' });
  const { message } = await composer.sendMail(messageOf(email, from));
  return Buffer.isBuffer(message) ? message : Buffer.from(String(message));
}
