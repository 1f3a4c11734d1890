/**
 * A mail server that is silent for a while (L10): nothing arrives twice when it speaks again, nothing
 * that nobody wants any more, and the outage holds no more than what is under way.
 */
import { afterEach, expect, test } from 'vitest';
import { createSystemRandom } from '../../src/crypto/secret.ts';
import { emailChannel } from '../../src/delivery/channels.ts';
import { createCourier } from '../../src/delivery/courier.ts';
import type { Courier } from '../../src/delivery/courier.ts';
import { smtpTransport } from '../../src/delivery/smtp.ts';
import { renderEmail } from '../../src/delivery/templates.ts';
import { EMAILS_AT_ONCE } from '../../src/delivery/transport.ts';
import type { Transport } from '../../src/delivery/transport.ts';
import { PASSWORD, createTestApp } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';
import { startSink } from '../support/smtp-sink.ts';
import type { Sink } from '../support/smtp-sink.ts';

const open: { stop?(): Promise<void>; close?(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await (one.close ?? one.stop)?.();
});

function transportTo(sink: Sink): Transport {
  return smtpTransport({
    host: '127.0.0.1',
    port: sink.port,
    tls: 'none',
    username: undefined,
    password: undefined,
    from: { address: 'auth@example.com', name: 'postern' },
    timeoutMs: 300,
  });
}

function courierOf(app: TestApp, sink: Sink): Courier {
  const made = createCourier({
    db: app.db,
    sealer: app.kernel.sealer,
    clock: app.clock,
    random: createSystemRandom(),
    log: app.kernel.log,
    transports: [transportTo(sink)],
    channel: 'email',
    render: emailChannel('postern', () => null),
  });
  open.push({ close: () => made.close() });
  return made;
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

test('silent, then alive: none twice, no expired one', async () => {
  const app = await createTestApp();
  open.push({ stop: app.stop });
  const sink = await startSink({ silent: true });
  open.push({ stop: sink.stop });
  const courier = courierOf(app, sink);
  const register = async (name: string, count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      const email = `${name}${i}@domain${i % 10}.example`;
      await app.call('POST', '/register', { body: { email, password: PASSWORD } });
    }
  };
  await register('expired', 10);
  app.clock.advance(50 * 60_000);
  await register('wanted', 22);
  await courier.deliverDue();
  app.clock.advance(15 * 60_000);
  await courier.deliverDue();
  expect(sink.received).toEqual([]);
  expect(sink.mostConnections).toBeLessThanOrEqual(EMAILS_AT_ONCE);
  // All were given up. What waited in a queue all the same would come now, beside its retry.
  sink.speak();
  await pause(2_000);
  expect(sink.received).toEqual([]);
  for (let round = 0; round < 3; round++) {
    app.clock.advance(10 * 60_000);
    await courier.deliverDue();
  }
  const recipients = sink.received.flatMap(({ to }) => to);
  expect(recipients.filter((address) => address.startsWith('expired'))).toEqual([]);
  expect(recipients).toHaveLength(22);
  expect(new Set(recipients).size).toBe(22);
}, 120_000);

test('what was given up does not arrive, however much was handed over at once', async () => {
  const sink = await startSink({ silent: true });
  open.push({ stop: sink.stop });
  const transport = transportTo(sink);
  open.push({ close: () => Promise.resolve(transport.close()) });
  const rendered = renderEmail('test', {}, 'postern', () => null);
  const sends = Array.from({ length: 3 * EMAILS_AT_ONCE }, (_, i) =>
    transport.send({
      id: `e${i}`,
      template: 'test',
      to: `ada${i}@example.com`,
      values: {},
      ...rendered,
    }),
  );
  const results = await Promise.allSettled(sends);
  expect(results.every(({ status }) => status === 'rejected')).toBe(true);
  sink.speak();
  await pause(2_000);
  expect(sink.received).toEqual([]);
}, 60_000);
