import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHmac } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { listOutbox, retryOutbox } from '../../src/core/email/outbox.ts';
import { emailChannel } from '../../src/delivery/channels.ts';
import { MAX_ATTEMPTS, createCourier, waitAfter } from '../../src/delivery/courier.ts';
import type { Courier } from '../../src/delivery/courier.ts';
import { folderTransport } from '../../src/delivery/eml-folder.ts';
import { escapeHtml, renderEmail } from '../../src/delivery/templates.ts';
import { DeliveryError } from '../../src/delivery/transport.ts';
import type { OutgoingEmail, Transport } from '../../src/delivery/transport.ts';
import { webhookTransport } from '../../src/delivery/webhook.ts';
import { createSystemRandom } from '../../src/crypto/secret.ts';
import { PASSWORD, createTestApp } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';
import { claimAll } from '../support/claim-all.ts';

const systemRandom = createSystemRandom();

let app: TestApp;
const couriers: Courier[] = [];
beforeEach(async () => {
  app = await createTestApp();
});
afterEach(async () => {
  for (const courier of couriers.splice(0)) await courier.close();
  await app.stop();
});

function courier(...transports: Transport[]): Courier {
  const made = createCourier({
    db: app.db,
    sealer: app.kernel.sealer,
    clock: app.clock,
    random: systemRandom,
    log: app.kernel.log,
    transports,
    channel: 'email',
    render: emailChannel('postern', () => null),
  });
  couriers.push(made);
  return made;
}

function recorder(fault?: () => DeliveryError | undefined): Transport & { sent: OutgoingEmail[] } {
  const sent: OutgoingEmail[] = [];
  return {
    name: 'recorder',
    sent,
    send: async (letter) => {
      const error = fault?.();
      if (error !== undefined) throw error;
      sent.push(letter);
    },
    rehearse: () => Promise.resolve(),
    close: () => undefined,
  };
}

const ask = (email = 'ada@example.com') =>
  app.call('POST', '/register', { body: { email, password: PASSWORD } });
const later = () => new DeliveryError('mail.example.com:25 deferred the email (450)', 'transient');

describe('the courier', () => {
  test('hands a committed email over once, and its content is gone from the database', async () => {
    await ask();
    const way = recorder();
    await courier(way).deliverDue();
    await courier(way).deliverDue();
    expect(way.sent.map(({ to, template }) => [to, template])).toEqual([
      ['ada@example.com', 'verify_registration'],
    ]);
    const rows = await app.db.read({
      sql: 'SELECT payload_sealed FROM outbox',
      params: [],
      map: (r) => r.map((c) => c[0]),
      returns: true,
    });
    expect(rows).toEqual([null]);
  });

  test('retries when no transport accepts it, with growing waits, and gives up visibly for an operator', async () => {
    await ask();
    // A letter that lives long enough to be given up.
    await app.db.write([
      {
        sql: 'UPDATE outbox SET expires_at = expires_at + 1000000000',
        params: [],
        map: () => [],
        returns: false,
      },
    ]);
    const way = recorder(later);
    const one = courier(way);
    for (let i = 0; i < MAX_ATTEMPTS; i++) {
      await one.deliverDue();
      app.clock.advance(45 * 60_000);
    }
    const [entry] = await listOutbox(app.db);
    expect([entry?.state, entry?.attempts, entry?.lastError]).toEqual([
      'dead',
      MAX_ATTEMPTS,
      'mail.example.com:25 deferred the email (450)',
    ]);
    expect(app.log.some(({ event }) => event === 'letter.dead')).toBe(true);
    expect(await retryOutbox(app.db, app.clock.now(), '')).toBe(1);
    const good = recorder();
    await courier(good).deliverDue();
    expect(good.sent).toHaveLength(1);
  });

  test('the waits grow, are bounded, and differ', () => {
    const waits = Array.from({ length: 12 }, (_, i) => waitAfter(i + 1, systemRandom));
    expect(waits[0]).toBeGreaterThanOrEqual(11_250);
    expect(Math.max(...waits)).toBeLessThanOrEqual(30 * 60_000 * 1.25);
    expect(
      new Set(Array.from({ length: 20 }, () => waitAfter(3, systemRandom))).size,
    ).toBeGreaterThan(1);
  });

  test('falls back to the next way when the first does not work', async () => {
    await ask();
    const second = recorder();
    await courier(recorder(later), second).deliverDue();
    expect(second.sent).toHaveLength(1);
  });

  test('a permanently refused email is given up at once', async () => {
    await ask();
    await courier(recorder(() => new DeliveryError('refused', 'permanent'))).deliverDue();
    expect((await listOutbox(app.db))[0]?.state).toBe('dead');
  });

  test('an expired email is not sent any more', async () => {
    await ask();
    app.clock.advance(61 * 60_000);
    const way = recorder();
    await courier(way).deliverDue();
    expect(way.sent).toEqual([]);
  });

  test('what a courier took before it died goes out when its lease is over, once more at most', async () => {
    await ask();
    expect(await claimAll(app, 5 * 60_000)).toHaveLength(1);
    const way = recorder();
    await courier(way).deliverDue();
    expect(way.sent).toEqual([]);
    app.clock.advance(5 * 60_000 + 1);
    await courier(way).deliverDue();
    await courier(way).deliverDue();
    expect(way.sent).toHaveLength(1);
  });

  test('two couriers on one database never send the same email', async () => {
    for (let i = 0; i < 20; i++) await ask(`many${i}@example.com`);
    const other = await createTestApp({ directory: app.directory, clock: app.clock });
    const way = recorder();
    const second = createCourier({
      db: other.db,
      sealer: other.kernel.sealer,
      clock: app.clock,
      random: systemRandom,
      log: other.kernel.log,
      transports: [way],
      channel: 'email',
      render: emailChannel('postern', () => null),
    });
    await Promise.all([courier(way).deliverDue(), second.deliverDue()]);
    expect(way.sent).toHaveLength(20);
    expect(new Set(way.sent.map(({ to }) => to)).size).toBe(20);
    await second.close();
    await other.stop();
  });

  test('a dead mail server changes no answer', async () => {
    courier({
      name: 'hanging',
      send: () => new Promise(() => undefined),
      rehearse: () => Promise.resolve(),
      close: () => undefined,
    }).wake();
    const { status } = await ask('patient@example.com');
    expect(status).toBe(202);
  });
});

describe('the ways', () => {
  test('webhook: signed over time and body, with an idempotency key; redirects are not followed', async () => {
    const got: { headers: Record<string, unknown>; body: string }[] = [];
    let status = 200;
    const server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        got.push({ headers: request.headers, body });
        response
          .writeHead(status, status === 302 ? { location: 'http://169.254.169.254/' } : {})
          .end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const secret = 'x'.repeat(32);
    const way = webhookTransport({
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/letters`,
      secret,
      clock: app.clock,
    });
    const letter: OutgoingEmail = {
      id: 'l1',
      template: 'test',
      to: 'ada@example.com',
      values: { code: '123456' },
      ...renderEmail('test', {}, 'postern', () => null),
    };
    await way.send(letter);
    const [, seconds = '', mac = ''] =
      /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(got[0]?.headers['postern-signature'])) ?? [];
    expect(mac).toBe(
      createHmac('sha256', secret).update(`${seconds}.${got[0]?.body}`).digest('hex'),
    );
    expect(got[0]?.headers['idempotency-key']).toBe('l1');
    expect(JSON.parse(got[0]?.body ?? '')).toMatchObject({
      to: 'ada@example.com',
      values: { code: '123456' },
    });
    for (const [code, isPermanent] of [
      [302, false],
      [500, false],
      [429, false],
      [422, true],
    ] as const) {
      status = code;
      await expect(way.send(letter)).rejects.toMatchObject({ isPermanent });
    }
    expect(got).toHaveLength(5);
    server.close();
  });

  test('file: .eml files for their owner alone', async () => {
    const dir = join(mkdtempSync(join(tmpdir(), 'postern-eml-')), 'mail');
    await ask();
    await courier(
      folderTransport({ dir, from: { address: 'auth@example.com', name: 'postern' } }),
    ).deliverDue();
    const [file = ''] = readdirSync(dir);
    expect([statSync(dir).mode & 0o777, statSync(join(dir, file)).mode & 0o777]).toEqual([
      0o700, 0o600,
    ]);
    expect(readFileSync(join(dir, file), 'utf8')).toMatch(/^To: ada@example\.com$/m);
    rmSync(join(dir, '..'), { recursive: true });
  });
});

describe('letters', () => {
  test('H12: what a value holds is escaped in HTML, literal in text, and never a template', () => {
    for (const evil of [
      '{{code}}',
      '{{7*7}}',
      '${7*7}',
      '<img src=x onerror=alert(1)>',
      '"><script>',
      "' onload='",
    ]) {
      const { html, text } = renderEmail(
        'address_change_requested',
        { new_address: evil, code: 'SECRET' },
        'postern',
        () => null,
      );
      expect(text).toContain(evil);
      expect(html).toContain(escapeHtml(evil));
      expect(html).not.toMatch(/<img|<script|SECRET/);
      expect(text).not.toContain('SECRET');
    }
  });

  test('H10: no value makes a second line of a subject or of the text', () => {
    const { subject, text } = renderEmail(
      'verify_address',
      { code: '1\r\nBcc: eve@example.com\u2028x\u0085y' },
      'po\nstern',
      () => null,
    );
    expect(subject).not.toMatch(/[\r\n\u2028\u0085]/);
    expect(text).not.toMatch(/^Bcc:/m);
  });

  test("an operator's own letter takes the place of ours, by locale, then language, then English", () => {
    const find = (letter: string, locale: string) =>
      letter === 'test' && locale === 'de'
        ? { text: 'Subject: Hallo von {{service}}\n\nNur {{service}}.', html: '<b>{{service}}</b>' }
        : null;
    expect(renderEmail('test', { locale: 'de-AT' }, 'po<stern', find)).toEqual({
      subject: 'Hallo von po<stern',
      text: 'Nur po<stern.\n',
      html: '<b>po&#60;stern</b>',
    });
    expect(renderEmail('test', { locale: 'fr' }, 'postern', find).subject).toBe(
      'A test email from postern',
    );
  });
});
