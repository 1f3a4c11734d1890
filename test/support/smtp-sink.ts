/**
 * A mail server to talk to: real SMTP on a port of its own, with the manners that a test asks for.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SMTPServer } from 'smtp-server';

export interface Received {
  readonly to: readonly string[];
  readonly from: string;
  readonly raw: string;
  readonly secure: boolean;
}

export interface SinkOptions {
  /** Status codes to answer to RCPT TO, one after the other; after the last, letters are taken. */
  readonly refuse?: number[];
  /** Offer STARTTLS with a self-signed certificate. */
  readonly tls?: boolean;
  /** Never answer the content of a letter. */
  readonly hang?: boolean;
  /** Take connections and say nothing, until {@link Sink.speak}. */
  readonly silent?: boolean;
}

export interface Sink {
  readonly port: number;
  readonly received: Received[];
  /** The self-signed certificate, for those who are to trust it. */
  readonly ca: string;
  /** The most connections that were open at once. */
  readonly mostConnections: number;
  /** Ends the silence. */
  speak(): void;
  stop(): Promise<void>;
}

/** A certificate for localhost, made for this run. */
function selfSigned(): { key: string; cert: string } {
  const folder = mkdtempSync(join(tmpdir(), 'postern-tls-'));
  try {
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-keyout',
        key,
        '-out',
        cert,
        '-days',
        '2',
        '-subj',
        '/CN=localhost',
        '-addext',
        'subjectAltName=DNS:localhost,IP:127.0.0.1',
      ],
      { stdio: 'ignore' },
    );
    return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export async function startSink(options: SinkOptions = {}): Promise<Sink> {
  const received: Received[] = [];
  const refusals = [...(options.refuse ?? [])];
  let isSilent = options.silent === true;
  const waiting: (() => void)[] = [];
  let open = 0;
  let most = 0;
  const tls = options.tls === true ? selfSigned() : { key: '', cert: '' };
  const server = new SMTPServer({
    authOptional: true,
    disableReverseLookup: true,
    ...(options.tls === true ? tls : { disabledCommands: ['STARTTLS'] }),
    logger: false,
    onConnect: (_session, callback) => {
      open += 1;
      most = Math.max(most, open);
      if (isSilent) waiting.push(callback);
      else callback();
    },
    onClose: () => {
      open -= 1;
    },
    onRcptTo: (_address, _session, callback) => {
      const status = refusals.shift();
      if (status === undefined) callback();
      else callback(Object.assign(new Error('refused by the test'), { responseCode: status }));
    },
    onData: (stream, session, callback) => {
      let raw = '';
      stream.setEncoding('utf8');
      stream.on('data', (chunk: string) => (raw += chunk));
      stream.on('end', () => {
        if (options.hang === true) return;
        received.push({
          to: session.envelope.rcptTo.map(({ address }) => address),
          from: session.envelope.mailFrom === false ? '' : session.envelope.mailFrom.address,
          raw,
          secure: session.secure,
        });
        callback();
      });
    },
  });
  server.on('error', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const { port } = server.server.address() as AddressInfo;
  return {
    port,
    received,
    ca: tls.cert,
    get mostConnections() {
      return most;
    },
    speak: () => {
      isSilent = false;
      for (const greet of waiting.splice(0)) greet();
    },
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
