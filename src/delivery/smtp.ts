/**
 * Emails by SMTP, through nodemailer's connection pool. TLS is required unless configured
 * otherwise, certificates are verified, and every step has a timeout. The pool's queue is never
 * used: an email that waited there could be sent after its retry, or after it expired.
 */
import tls from 'node:tls';
import type { Transporter } from 'nodemailer';
import type { SentMessageInfo } from 'nodemailer/lib/smtp-pool/index.js';
import { composeEmail, messageOf } from './message.ts';
import type { Sender } from './message.ts';
import { DeliveryError, EMAILS_AT_ONCE } from './transport.ts';
import type { Transport } from './transport.ts';

export interface SmtpOptions {
  readonly host: string;
  readonly port: number;
  readonly tls: 'starttls' | 'implicit' | 'none';
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly from: Sender;
  /** Certificates to trust in addition to those that Node trusts, PEM. */
  readonly ca?: string | undefined;
  /** Signs each email: RSA-SHA256 (RFC 6376, RFC 8301). */
  readonly dkim?: DkimOptions | undefined;
  /** Maximum wait for each step, in milliseconds. */
  readonly timeoutMs?: number;
}

export interface DkimOptions {
  readonly domain: string;
  readonly selector: string;
  /** PEM. */
  readonly privateKey: string;
}

const TIMEOUT_MS = 10_000;
/**
 * Maximum time for one email: a server that sends a byte a second would stay within every step's
 * timeout.
 */
const EMAIL_TIMEOUT_FACTOR = 3;
/** Servers close idle connections; closing them first avoids failed emails. */
const IDLE_MS = 20_000;

export function smtpTransport(options: SmtpOptions): Transport {
  const { host, port, username, password, from, timeoutMs = TIMEOUT_MS } = options;
  let transporter: Transporter<SentMessageInfo> | undefined;
  // Loaded with the first email: most processes start faster and smaller without it.
  const connect = async (): Promise<Transporter<SentMessageInfo>> => {
    const { createTransport } = await import('nodemailer');
    // Checked after the wait: two first emails at once share one pool.
    transporter ??= createTransport({
      pool: true,
      maxConnections: EMAILS_AT_ONCE,
      maxMessages: 50,
      idleTimeout: IDLE_MS,
      // A connection that ends in the middle may have delivered the email: the courier retries
      // later.
      maxRequeues: 0,
      host,
      port,
      secure: options.tls === 'implicit',
      requireTLS: options.tls === 'starttls',
      ignoreTLS: options.tls === 'none',
      tls: {
        minVersion: 'TLSv1.2',
        rejectUnauthorized: true,
        ...(options.ca === undefined ? {} : { ca: [...trustedByNode(), options.ca] }),
      },
      ...dkimOf(options.dkim),
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
    send: async (email, signal) => {
      const late = AbortSignal.timeout(timeoutMs * EMAIL_TIMEOUT_FACTOR);
      const end = signal === undefined ? late : AbortSignal.any([late, signal]);
      try {
        const open = await connect();
        // Aborting closes the connection, so that an aborted email isn't delivered besides its
        // retry.
        await open.sendMail({ ...messageOf(email, from), ...{ signal: end } });
      } catch (error) {
        throw explain(server, error);
      }
    },
    check: async () => {
      try {
        const open = await connect();
        await within(timeoutMs * EMAIL_TIMEOUT_FACTOR, open.verify());
      } catch (error) {
        throw explain(server, error);
      }
    },
    rehearse: async (email) => void (await composeEmail(email, from)),
    close: () => transporter?.close(),
  };
}

/** `ca` replaces the certificates that Node trusts, so those must be added again. */
function trustedByNode(): readonly string[] {
  const { getCACertificates, rootCertificates }: Partial<typeof tls> = tls;
  // Available since Node 22.15; includes NODE_EXTRA_CA_CERTS.
  return getCACertificates?.() ?? rootCertificates ?? [];
}

function dkimOf(dkim: DkimOptions | undefined): object {
  if (dkim === undefined) return {};
  const { domain, selector, privateKey } = dkim;
  return { dkim: { domainName: domain, keySelector: selector, privateKey } };
}

/** @throws an `ETIMEDOUT` error when the work takes longer; what it does then is ignored. */
async function within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(Object.assign(new Error('too slow'), { code: 'ETIMEDOUT' })),
      milliseconds,
    );
  });
  work.catch(() => undefined);
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
  const refused = connectionFault(server, error);
  if (refused !== undefined) return new DeliveryError(refused, 'transient', { cause: error });
  switch (code) {
    case 'EABORT':
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

/** Codes of OpenSSL and Node about a certificate that can't be verified. */
const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO|ALTNAME/;

/**
 * Uses the socket's own error code: a refused connection and a wrong certificate need different
 * fixes.
 */
function connectionFault(server: string, error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const code = 'code' in error ? error.code : '';
  const own = String('originalCode' in error ? error.originalCode : code);
  if (CERTIFICATE.test(own)) {
    return `the certificate of ${server} could not be verified (${own}): check mail.smtp.host, or name a private authority in mail.smtp.ca_file`;
  }
  if (own === 'ECONNREFUSED') return `${server} refused the connection: nothing listens there`;
  return undefined;
}
