/**
 * Letters by SMTP, through nodemailer's pool. TLS is required unless the configuration says
 * otherwise, certificates are verified, every step has its time-out, and the recipient is an
 * address object: a text would be read as a list (T7).
 */
import type { Transporter } from 'nodemailer';
import type { SentMessageInfo } from 'nodemailer/lib/smtp-pool/index.js';
import { DeliveryError } from './transport.ts';
import type { OutgoingLetter, Transport } from './transport.ts';

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
  /** Certificates to trust beside the system's, PEM. */
  readonly ca?: string;
  /** Longest wait for each step, milliseconds. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 10_000;
/** The whole of one letter: a server that sends a byte a second keeps every step's own time-out. */
const LETTER_TIMEOUT_FACTOR = 3;

/** The headers of a letter that no reply and no auto-responder should answer. */
export function messageOf(letter: OutgoingLetter, from: Sender): object {
  return {
    from: { name: from.name, address: from.address },
    to: { name: '', address: letter.to },
    subject: letter.subject,
    text: letter.text,
    html: letter.html,
    messageId: `<${letter.id}@${from.address.slice(from.address.indexOf('@') + 1)}>`,
    headers: { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All' },
    disableFileAccess: true,
    disableUrlAccess: true,
  };
}

export function smtpTransport(options: SmtpOptions): Transport {
  const { host, port, tls, username, password, from, timeoutMs = TIMEOUT_MS } = options;
  let transporter: Transporter<SentMessageInfo> | undefined;
  // Loaded with the first letter: most processes start faster and smaller without it.
  const connect = async (): Promise<Transporter<SentMessageInfo>> => {
    const { createTransport } = await import('nodemailer');
    return (transporter ??= createTransport({
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
    }));
  };
  const server = `${host}:${port}`;
  return {
    name: 'smtp',
    send: async (letter) => {
      try {
        const open = await connect();
        await within(timeoutMs * LETTER_TIMEOUT_FACTOR, open.sendMail(messageOf(letter, from)));
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
  work.catch(() => undefined); // when the time is over first, its end is nobody's any more
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The fault in an operator's words; a server's own text may repeat the letter and is left out. */
function explain(server: string, error: unknown): DeliveryError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const status = error instanceof Error && 'responseCode' in error ? Number(error.responseCode) : 0;
  // For good only what is said of this letter: a refused STARTTLS or sign-in is a matter of
  // settings, and can be mended.
  const isOfLetter = code === 'EENVELOPE' || code === 'EMESSAGE';
  if (isOfLetter && status >= 500)
    return new DeliveryError(`${server} refused the letter for good (${status})`, true, {
      cause: error,
    });
  if (isOfLetter && status >= 400)
    return new DeliveryError(`${server} put the letter off (${status})`, false, { cause: error });
  switch (code) {
    case 'ECONNREFUSED':
    case 'ESOCKET':
      return new DeliveryError(
        `${server} refused the connection, or its certificate could not be verified`,
        false,
        { cause: error },
      );
    case 'ETIMEDOUT':
      return new DeliveryError(`${server} did not answer in time`, false, { cause: error });
    case 'EAUTH':
      return new DeliveryError(
        `${server} did not take mail.smtp.username and mail.smtp.password`,
        false,
        { cause: error },
      );
    case 'ETLS':
      return new DeliveryError(
        `${server} offers no TLS that can be verified; mail.smtp.tls asks for it`,
        false,
        { cause: error },
      );
    case 'EDNS':
      return new DeliveryError(`${server}: there is no such host`, false, { cause: error });
    default:
      return new DeliveryError(
        `${server}: the letter could not be handed over (${code === '' ? 'unknown' : code})`,
        false,
        { cause: error },
      );
  }
}
