/**
 * Emails by SMTP, through nodemailer's pool. TLS is required unless configured otherwise,
 * certificates are verified, every step has a timeout, and the recipient is an address object: a
 * text would be read as a list (T7).
 */
import type { Transporter } from 'nodemailer';
import type { SentMessageInfo } from 'nodemailer/lib/smtp-pool/index.js';
import { DeliveryError } from './transport.ts';
import type { OutgoingEmail, Transport } from './transport.ts';

export interface Sender {
  readonly address: string;
  readonly name: string;
}

export interface SmtpOptions {
  readonly host: string;
  readonly port: number;
  readonly tls: 'starttls' | 'implicit' | 'none';
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly from: Sender;
  /** Certificates to trust in addition to the system's, PEM. */
  readonly ca?: string;
  /** Maximum wait for each step, in milliseconds. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 10_000;
/**
 * Maximum time for one email: a server that sends a byte a second would stay within every step's
 * timeout.
 */
const EMAIL_TIMEOUT_FACTOR = 3;

/** Headers that ask for no replies and no automatic answers. */
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

export function smtpTransport(options: SmtpOptions): Transport {
  const { host, port, tls, username, password, from, timeoutMs = TIMEOUT_MS } = options;
  let transporter: Transporter<SentMessageInfo> | undefined;
  // Loaded with the first email: most processes start faster and smaller without it.
  const connect = async (): Promise<Transporter<SentMessageInfo>> => {
    const { createTransport } = await import('nodemailer');
    // Checked after the wait: two first emails at once share one pool.
    transporter ??= createTransport({
      pool: true,
      maxConnections: 2,
      maxMessages: 50,
      host,
      port,
      secure: tls === 'implicit',
      requireTLS: tls === 'starttls',
      ignoreTLS: tls === 'none',
      tls: {
        minVersion: 'TLSv1.2',
        rejectUnauthorized: true,
        ...(options.ca === undefined ? {} : { ca: options.ca }),
      },
      ...(username === undefined || password === undefined
        ? {}
        : { auth: { user: username, pass: password } }),
      connectionTimeout: timeoutMs,
      greetingTimeout: timeoutMs,
      socketTimeout: timeoutMs,
      dnsTimeout: timeoutMs,
      disableFileAccess: true,
      disableUrlAccess: true,
    });
    return transporter;
  };
  const server = `${host}:${port}`;
  return {
    name: 'smtp',
    send: async (email) => {
      try {
        const open = await connect();
        await within(timeoutMs * EMAIL_TIMEOUT_FACTOR, open.sendMail(messageOf(email, from)));
      } catch (error) {
        throw explain(server, error);
      }
    },
    close: () => transporter?.close(),
  };
}

async function within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(Object.assign(new Error('too slow'), { code: 'ETIMEDOUT' })),
      milliseconds,
    );
  });
  work.catch(() => undefined); // after the timeout nobody waits for its result
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * The error for the operator; the server's own text may repeat the email's content and is left out.
 */
function explain(server: string, error: unknown): DeliveryError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const status = error instanceof Error && 'responseCode' in error ? Number(error.responseCode) : 0;
  // Permanent only if it concerns this email: a refused STARTTLS or sign-in is a matter of settings
  // and can be fixed.
  const isOfEmail = code === 'EENVELOPE' || code === 'EMESSAGE';
  if (isOfEmail && status >= 500)
    return new DeliveryError(`${server} refused the email permanently (${status})`, 'permanent', {
      cause: error,
    });
  if (isOfEmail && status >= 400)
    return new DeliveryError(`${server} deferred the email (${status})`, 'transient', {
      cause: error,
    });
  switch (code) {
    case 'ECONNREFUSED':
    case 'ESOCKET':
      return new DeliveryError(
        `${server} refused the connection, or its certificate could not be verified`,
        'transient',
        { cause: error },
      );
    case 'ETIMEDOUT':
      return new DeliveryError(`${server} did not answer in time`, 'transient', { cause: error });
    case 'EAUTH':
      return new DeliveryError(
        `${server} refused mail.smtp.username and mail.smtp.password`,
        'transient',
        { cause: error },
      );
    case 'ETLS':
      return new DeliveryError(
        `${server} offers no TLS that can be verified, which mail.smtp.tls requires`,
        'transient',
        { cause: error },
      );
    case 'EDNS':
      return new DeliveryError(`${server}: there is no such host`, 'transient', { cause: error });
    default:
      return new DeliveryError(
        `${server}: the email could not be handed over (${code === '' ? 'unknown' : code})`,
        'transient',
        { cause: error },
      );
  }
}
