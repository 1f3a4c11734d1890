/** Text messages on their way: real receivers over loopback, an outage, and a lane of their own. */
import { createHmac } from 'node:crypto';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { emailChannel, smsChannel } from '../../src/delivery/channels.ts';
import { createCourier } from '../../src/delivery/courier.ts';
import type { Courier } from '../../src/delivery/courier.ts';
import { folderTransport } from '../../src/delivery/folder.ts';
import { gatewayTransport } from '../../src/delivery/sms-gateway.ts';
import type { GatewayOptions } from '../../src/delivery/sms-gateway.ts';
import { messagesOf, smsText } from '../../src/lib/sms-text.ts';
import type { OutgoingSms, Transport } from '../../src/delivery/transport.ts';
import { smsWebhookTransport } from '../../src/delivery/webhook.ts';
import { createSystemRandom } from '../../src/crypto/secret.ts';
import { run } from '../cli/run.ts';
import { newDirectory } from '../support/process.ts';
import { createTestApp } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';
import { MINUTE, SMS, newNumber, setPhone, verifyPhone } from '../phone/rig.ts';

interface Received {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** A receiver that answers with these statuses in turn, then with 200. */
async function receiver(...statuses: number[]) {
  const received: Received[] = [];
  const server = createServer((incoming, outgoing) => {
    let body = '';
    incoming.on('data', (chunk) => (body += String(chunk)));
    incoming.on('end', () => {
      received.push({ headers: incoming.headers, body });
      outgoing.writeHead(statuses.shift() ?? 200).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    received,
    url: `http://127.0.0.1:${port}/sms`,
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}

const WORDS = { text: '{code} is your code for {service}. Do not tell it to anybody.' };
const SECRET = 'k8Zr1wq0V3n6Yt5mB2c9Xd4fG7hJ0LpQ';
const gateway = (options: Partial<GatewayOptions>): Transport<OutgoingSms> =>
  gatewayTransport({
    url: '',
    authorization: undefined,
    headers: [],
    form: [],
    json: undefined,
    ...options,
  });

let app: TestApp;
const open: { close(): unknown }[] = [];
beforeAll(async () => {
  app = await createTestApp({ config: `${SMS}max_unverified = 1000\n` });
});
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});
afterAll(() => app.stop());

function courier(transport: Transport<OutgoingSms>): Courier {
  const { db, clock, kernel } = app;
  const made = createCourier({
    channel: 'sms',
    db,
    sealer: kernel.sealer,
    clock,
    random: createSystemRandom(),
    log: kernel.log,
    transports: [transport],
    render: smsChannel({ ...WORDS, service: 'Example', domain: 'app.example.com' }),
  });
  open.push(made);
  return made;
}

/** A user who asked for a code, and how it is entered. */
async function asked() {
  const { access } = await app.register();
  const phone = newNumber();
  const { body } = await setPhone(app, access, phone);
  return {
    phone,
    verify: (text: string) =>
      verifyPhone(app, access, body.otp_id, /#(\d{6})$/.exec(text)?.[1] ?? ''),
  };
}

describe('a message', () => {
  test('webhook: signed over time and body, tried again after an outage, sent once, and its code works', async () => {
    const there = await receiver(503, 429);
    open.push(there);
    const { phone, verify } = await asked();
    const made = courier(smsWebhookTransport({ url: there.url, secret: SECRET, clock: app.clock }));
    for (let round = 0; round < 4; round++) {
      await made.deliverDue();
      app.clock.advance(MINUTE);
    }
    expect(there.received).toHaveLength(3);
    const [first, , last] = there.received;
    expect(first?.headers['idempotency-key']).toBe(last?.headers['idempotency-key']);
    const [, time, given] =
      /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(last?.headers['postern-signature'])) ?? [];
    expect(given).toBe(createHmac('sha256', SECRET).update(`${time}.${last?.body}`).digest('hex'));
    const { text, to, country, letter } = JSON.parse(last?.body ?? '{}');
    expect([to, country, letter]).toEqual([phone, 'DE', 'sms_phone_code']);
    expect((await verify(text)).status).toBe(200);
    const waits = await app.db.read({
      sql: "SELECT state, recipient, payload_sealed FROM outbox WHERE lane >= 4 AND kind = 'real'",
      params: [],
      map: (rows) => rows,
      returns: true,
    });
    expect(waits).toEqual([['sent', '', null]]);
  });

  test('gateway: a form with its fields, and the secret in Authorization', async () => {
    const there = await receiver(500);
    open.push(there);
    const { phone, verify } = await asked();
    const made = courier(
      gateway({
        url: there.url,
        authorization: 'Bearer 7f3a',
        headers: [['x-region', 'eu']],
        form: [
          ['To', '{to}'],
          ['From', 'Example'],
          ['Body', '{text}'],
        ],
      }),
    );
    await made.deliverDue();
    app.clock.advance(MINUTE);
    await made.deliverDue();
    const [, last] = there.received;
    expect(last?.headers).toMatchObject({
      authorization: 'Bearer 7f3a',
      'x-region': 'eu',
      'content-type': 'application/x-www-form-urlencoded',
    });
    const form = new URLSearchParams(last?.body);
    expect([form.get('To'), form.get('From')]).toEqual([phone, 'Example']);
    expect((await verify(form.get('Body') ?? '')).status).toBe(200);
  });

  test('gateway: JSON, in which no text can end a text', async () => {
    const there = await receiver();
    open.push(there);
    const made = gateway({
      url: there.url,
      json: '{"recipients":["{to}"],"body":"{text}","n":[1,{"flash":false}]}',
    });
    const text = 'a "quoted" {to}\nline';
    const sms = { id: '1', template: 'sms_phone_code', country: 'DE', values: {} } as const;
    await made.send({ ...sms, to: '+4915120000000', text });
    expect(JSON.parse(there.received[0]?.body ?? '')).toEqual({
      recipients: ['+4915120000000'],
      body: text,
      n: [1, { flash: false }],
    });
  });

  test('is given up at once when it is refused for good, and a decoy is sent to nobody', async () => {
    const there = await receiver(400);
    open.push(there);
    await asked();
    const made = courier(gateway({ url: there.url, form: [['To', '{to}']] }));
    await made.deliverDue();
    app.clock.advance(MINUTE);
    await made.deliverDue();
    expect(there.received).toHaveLength(1);
    expect(
      app.log.some(({ event, letter }) => event === 'letter.dead' && letter === 'sms_phone_code'),
    ).toBe(true);
    // The interval of the number: a decoy.
    const { access } = await app.register();
    const phone = newNumber();
    await setPhone(app, access, phone, '10.9.9.9');
    await setPhone(app, access, phone, '10.9.9.9');
    await made.deliverDue();
    expect(there.received).toHaveLength(2);
    expect(app.log.at(-1)).toMatchObject({ letter: 'sms_phone_code' });
  });

  test('file: for its owner alone', async () => {
    const dir = newDirectory();
    const { phone, verify } = await asked();
    const content = ({ to, text }: OutgoingSms) => `To: ${to}\n\n${text}\n`;
    await courier(folderTransport({ dir, ending: '.txt', content })).deliverDue();
    const [name = ''] = readdirSync(dir);
    expect(statSync(`${dir}/${name}`).mode & 0o777).toBe(0o600);
    const text = readFileSync(`${dir}/${name}`, 'utf8');
    expect(text.startsWith(`To: ${phone}\n`)).toBe(true);
    expect((await verify(text.trim())).status).toBe(200);
  });

  test('has a lane of its own: a courier of emails takes none, and none waits for the other', async () => {
    const sent: string[] = [];
    const emails: string[] = [];
    const { phone } = await asked();
    const address = 'lane@example.com';
    await app.call('POST', '/register', {
      body: { email: address, password: 'correct horse battery staple' },
    });
    const { db, clock, kernel } = app;
    const ofEmails = createCourier({
      channel: 'email',
      db,
      sealer: kernel.sealer,
      clock,
      random: createSystemRandom(),
      log: kernel.log,
      transports: [
        {
          name: 'test',
          send: async ({ to }) => void emails.push(to),
          rehearse: async () => undefined,
          close: () => undefined,
        },
      ],
      render: emailChannel('Example', () => null),
    });
    open.push(ofEmails);
    await ofEmails.deliverDue();
    expect(emails).toEqual([address]);
    await courier({
      name: 'test',
      send: async ({ to }) => void sent.push(to),
      rehearse: async () => undefined,
      close: () => undefined,
    }).deliverDue();
    expect(sent).toEqual([phone]);
  });
});

test('postern sms test: one message by each transport, and which failed; only to numbers that are served', async () => {
  const there = await receiver();
  const dir = newDirectory();
  const env = {
    POSTERN_SMS_COUNTRIES: 'DE',
    POSTERN_SMS_TRANSPORTS: 'gateway,webhook,file',
    POSTERN_SMS_GATEWAY_URL: there.url,
    POSTERN_SMS_GATEWAY_FORM: 'To={to},Body={text}',
    POSTERN_SMS_WEBHOOK_URL: 'http://127.0.0.1:9/sms',
    POSTERN_SMS_WEBHOOK_SECRET: SECRET,
    POSTERN_SMS_FILE_DIR: dir,
  };
  const sent = await run('sms test --to +4915120000000', { env });
  expect([sent.code, sent.stdout]).toEqual([
    1,
    'ok    gateway\nfail  webhook  127.0.0.1:9 could not be reached, or did not answer in 10 s\nok    file\n',
  ]);
  expect(new URLSearchParams(there.received[0]?.body).get('To')).toBe('+4915120000000');
  expect(readdirSync(dir)).toHaveLength(1);
  for (const [to, code] of [
    ['+4930123456', 2],
    ['', 2],
  ] as const)
    expect((await run(`sms test --to=${to}`, { env })).code).toBe(code);
  expect((await run('sms test --to +4915120000000', {})).code).toBe(78);
  await there.close();
});

test('the text ends in the line that binds the code to the page, and is one message', () => {
  const words = { ...WORDS, service: 'Example', domain: 'app.example.com' };
  const text = smsText(words, { code: '123456', code_minutes: '10' });
  expect(text).toBe(
    '123456 is your code for Example. Do not tell it to anybody.\n\n@app.example.com #123456',
  );
  expect([text.length <= 160, messagesOf(text)]).toEqual([true, 1]);
  const long = (of: string, count: number): number => messagesOf(of.repeat(count));
  expect([long('a', 160), long('a', 161), long('a', 307)]).toEqual([1, 2, 3]);
  expect([long('€', 80), long('€', 81), long('ü', 160)]).toEqual([1, 2, 1]);
  expect([long('ж', 70), long('ж', 71)]).toEqual([1, 2]);
  const hostile = { ...words, service: '{code}{minutes}' };
  expect(smsText(hostile, { code: '1' })).toContain('for {code}{minutes}.');
});
