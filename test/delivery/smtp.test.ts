import { createHash, createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { smtpTransport } from '../../src/delivery/smtp.ts';
import type { SmtpOptions } from '../../src/delivery/smtp.ts';
import type { OutgoingEmail, Transport } from '../../src/delivery/transport.ts';
import { renderEmail } from '../../src/delivery/templates.ts';
import { startSink } from '../support/smtp-sink.ts';
import type { Sink } from '../support/smtp-sink.ts';

const open: (Sink | Transport | { stop(): Promise<void> })[] = [];
afterEach(async () => {
  // A transport before the server that it keeps a connection to.
  for (const one of open.splice(0).reverse()) await ('stop' in one ? one.stop() : one.close());
});

const LETTER: OutgoingEmail = {
  id: '01a1',
  template: 'test',
  to: 'ada@example.com',
  values: {},
  ...renderEmail('test', {}, 'postern', () => null),
};

function transport(port: number, options: Partial<SmtpOptions> = {}): Transport {
  const made = smtpTransport({
    host: '127.0.0.1',
    port,
    tls: 'none',
    username: undefined,
    password: undefined,
    from: { address: 'auth@example.com', name: 'postern' },
    timeoutMs: 30_000,
    ...options,
  });
  open.push(made);
  return made;
}

async function sink(options = {}): Promise<Sink> {
  const made = await startSink(options);
  open.push(made);
  return made;
}

async function rawServer(onConnection: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push({
    stop: () =>
      new Promise<void>((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  });
  return (server.address() as AddressInfo).port;
}

describe('the smtp transport', () => {
  test('hands an email to one recipient, with a text and an HTML part', async () => {
    const server = await sink();
    await transport(server.port).send(LETTER);
    expect(server.received).toHaveLength(1);
    const [got] = server.received;
    expect([got?.to, got?.from]).toEqual([['ada@example.com'], 'auth@example.com']);
    expect(got?.raw).toMatch(/Content-Type: text\/plain/);
    expect(got?.raw).toMatch(/Content-Type: text\/html/);
    expect(got?.raw).toMatch(/^Auto-Submitted: auto-generated\r?$/m);
  });

  test.each([
    'ada@example.com, eve@example.com',
    'ada@example.com\r\nBcc: eve@example.com',
    'Ada <ada@example.com>, eve@example.com',
    'a: ada@example.com, eve@example.com;',
  ])('T7, H10: %j is never two recipients, nor a header', async (to) => {
    const server = await sink();
    await transport(server.port)
      .send({ ...LETTER, to })
      .catch(() => undefined);
    for (const { to: recipients, raw } of server.received) {
      expect(recipients).toHaveLength(1);
      expect(raw).not.toMatch(/^bcc:/im);
    }
  });

  test('puts off what is answered 4xx and gives up what is answered 5xx', async () => {
    const server = await sink({ refuse: [450, 550] });
    const way = transport(server.port);
    await expect(way.send(LETTER)).rejects.toMatchObject({
      isPermanent: false,
      message: expect.stringContaining('(450)'),
    });
    await expect(way.send(LETTER)).rejects.toMatchObject({
      isPermanent: true,
      message: expect.stringContaining('(550)'),
    });
    await way.send(LETTER);
    expect(server.received).toHaveLength(1);
  });

  test('a server that is not there: says so, and can be tried again', async () => {
    await expect(transport(1).send(LETTER)).rejects.toMatchObject({
      isPermanent: false,
      message: expect.stringContaining('127.0.0.1:1 refused the connection: nothing listens there'),
    });
  });

  test('a server that hangs after the content is left in time', async () => {
    const server = await sink({ hang: true });
    await expect(transport(server.port, { timeoutMs: 300 }).send(LETTER)).rejects.toMatchObject({
      isPermanent: false,
    });
  });

  test('a server that never greets, and one that sends a byte at a time, are left in time', async () => {
    const silent = await rawServer(() => undefined);
    await expect(transport(silent, { timeoutMs: 300 }).send(LETTER)).rejects.toMatchObject({
      isPermanent: false,
    });
    const dripping = await rawServer((socket) => {
      const timer = setInterval(() => socket.write('2'), 100);
      socket.on('close', () => clearInterval(timer));
    });
    // It would go on for ever.
    await expect(transport(dripping, { timeoutMs: 300 }).send(LETTER)).rejects.toMatchObject({
      isPermanent: false,
    });
  });

  test('STARTTLS is required: a server without it gets no email (ASVS 12.3.1)', async () => {
    const server = await sink();
    await expect(transport(server.port, { tls: 'starttls' }).send(LETTER)).rejects.toMatchObject({
      isPermanent: false,
    });
    expect(server.received).toEqual([]);
  });

  test('no email is sent under a certificate that can not be verified, one is under a valid certificate (ASVS 12.3.2)', async () => {
    const server = await sink({ tls: true });
    await expect(transport(server.port, { tls: 'starttls' }).send(LETTER)).rejects.toMatchObject({
      isPermanent: false,
    });
    expect(server.received).toEqual([]);
    // The cure is another than that of a server that is not there.
    await expect(transport(server.port, { tls: 'starttls' }).send(LETTER)).rejects.toThrow(
      /^the certificate of 127\.0\.0\.1:\d+ could not be verified \(DEPTH_ZERO_SELF_SIGNED_CERT\)/,
    );
    await transport(server.port, { tls: 'starttls', host: 'localhost', ca: server.ca }).send(
      LETTER,
    );
    expect(server.received[0]?.secure).toBe(true);
  });
});

describe('the message', () => {
  test('has Date, a Message-ID in the sender’s domain, Reply-To, and is declared automatic', async () => {
    const server = await sink();
    const from = { address: 'auth@example.com', name: 'postern', replyTo: 'help@example.com' };
    await transport(server.port, { from }).send(LETTER);
    const { headers } = parts(server.received[0]?.raw ?? '');
    expect(Object.fromEntries(headers.map(({ name, value }) => [name, value]))).toMatchObject({
      from: 'postern <auth@example.com>',
      'reply-to': 'help@example.com',
      'message-id': '<01a1@example.com>',
      'auto-submitted': 'auto-generated',
      date: expect.stringMatching(/^\w{3}, \d\d? \w{3} \d{4} \d\d:\d\d:\d\d \+0000$/),
    });
  });

  test('is signed (DKIM): the signature holds over what arrived, and not over anything else', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const server = await sink();
    await transport(server.port, {
      dkim: {
        domain: 'example.com',
        selector: 'postern',
        privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      },
    }).send({ ...LETTER, text: 'Grüße  \n\n7KQM2X \n\n\n' });
    const raw = server.received[0]?.raw ?? '';
    // As a TXT record at postern._domainkey.example.com would have it.
    const record = publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
    expect(dkimFault(raw, record)).toBeUndefined();
    expect(dkimFault(raw.replace('7KQM2X', '7KQM2Y'), record)).toBe('body');
    expect(dkimFault(raw.replace(/^To: ada/m, 'To: eve'), record)).toBe('signature');
    expect(dkimFault(raw.replace(/^Subject: A/m, 'Subject: B'), record)).toBe('signature');
    const signed =
      /;\s*h=([^;]+);/
        .exec(unfolded(raw))?.[1]
        ?.toLowerCase()
        .split(/\s*:\s*/) ?? [];
    expect(signed).toEqual(
      expect.arrayContaining(['from', 'to', 'subject', 'date', 'message-id', 'content-type']),
    );
  });
});

interface Header {
  readonly name: string;
  readonly value: string;
}

const unfolded = (raw: string): string => raw.replaceAll(/\r\n[ \t]/g, ' ');

function parts(raw: string): { readonly headers: readonly Header[]; readonly body: string } {
  const end = raw.indexOf('\r\n\r\n');
  const headers = unfolded(raw.slice(0, end))
    .split('\r\n')
    .map((line) => ({
      name: line.slice(0, line.indexOf(':')).toLowerCase(),
      value: line.slice(line.indexOf(':') + 1).trim(),
    }));
  return { headers, body: raw.slice(end + 4) };
}

/** A verifier of RFC 6376 by itself: relaxed/relaxed, RSA-SHA256; what is wrong, or undefined. */
function dkimFault(raw: string, record: string): string | undefined {
  const { headers, body } = parts(raw);
  const signature = headers.find(({ name }) => name === 'dkim-signature')?.value ?? '';
  const tags = new Map(
    signature.split(';').map((tag) => {
      const [, name = '', value = ''] = /^\s*(\w+)\s*=\s*([\s\S]*?)\s*$/.exec(tag) ?? [];
      return [name, value.replaceAll(/\s+/g, '')] as const;
    }),
  );
  if (tags.get('v') !== '1' || tags.get('a') !== 'rsa-sha256') return 'algorithm';
  if (tags.get('c') !== 'relaxed/relaxed') return 'canonicalisation';
  if (tags.get('d') !== 'example.com' || tags.get('s') !== 'postern') return 'domain';
  const lines = body.split('\r\n').map((line) => line.replaceAll(/[ \t]+/g, ' ').replace(/ $/, ''));
  const relaxedBody = `${lines.join('\r\n').replace(/(?:\r\n)+$/, '')}\r\n`;
  const hash = createHash('sha256').update(relaxedBody).digest('base64');
  if (hash !== tags.get('bh')) return 'body';
  const relaxed = ({ name, value }: Header): string =>
    `${name}:${value.replaceAll(/[ \t]+/g, ' ').trim()}`;
  const left = [...headers];
  const covered = (tags.get('h') ?? '').split(':').flatMap((name) => {
    // From the bottom up, where a name occurs more than once (§5.4.2).
    const at = left.findLastIndex((header) => header.name === name.toLowerCase());
    return at === -1 ? [] : left.splice(at, 1).map(relaxed);
  });
  const own = relaxed({ name: 'dkim-signature', value: signature }).replace(/(;\s*b=)[^;]*/, '$1');
  const key = createPublicKey({ key: Buffer.from(record, 'base64'), format: 'der', type: 'spki' });
  const signed = Buffer.from([...covered, own].join('\r\n'));
  const isGood = verify('sha256', signed, key, Buffer.from(tags.get('b') ?? '', 'base64'));
  return isGood ? undefined : 'signature';
}
