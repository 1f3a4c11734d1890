/**
 * A mail server that is silent for a while (L10): nothing arrives twice when it speaks again, nothing
 * that nobody wants any more, and the outage holds no more than what is under way.
 */
import { afterEach, expect, test } from 'vitest';
import { systemRandom } from '../../src/crypto/secret.ts';
import { createCourier } from '../../src/delivery/courier.ts';
import type { Courier } from '../../src/delivery/courier.ts';
import { smtpTransport } from '../../src/delivery/smtp.ts';
import { EMAILS_AT_ONCE } from '../../src/delivery/transport.ts';
import { PASSWORD, createTestApp } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';
import { startSink } from '../support/smtp-sink.ts';
import type { Sink } from '../support/smtp-sink.ts';

const open: { stop?(): Promise<void>; close?(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await (one.close ?? one.stop)?.();
});

function courierOf(app: TestApp, sink: Sink): Courier {
  const made = createCourier({
    db: app.db,
    sealer: app.kernel.sealer,
    clock: app.clock,
    random: systemRandom,
    log: app.kernel.log,
    transports: [
      smtpTransport({
        host: '127.0.0.1',
        port: sink.port,
        tls: 'none',
        username: undefined,
        password: undefined,
        from: { address: 'auth@example.com', name: 'postern' },
        timeoutMs: 300,
      }),
    ],
    findTemplate: () => null,
    service: 'postern',
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
  await register('expired', 20);
  app.clock.advance(50 * 60_000);
  await register('wanted', 40);
  // The first emails are tried, given up and put off; others wait for their first try.
  for (let round = 0; round < 3; round++) {
    const due = courier.deliverDue();
    await pause(1_500);
    app.clock.advance(5 * 60_000);
    await due;
  }
  expect(sink.received).toEqual([]);
  expect(sink.mostConnections).toBeLessThanOrEqual(EMAILS_AT_ONCE);
  sink.speak();
  for (let round = 0; round < 3; round++) {
    await courier.deliverDue();
    app.clock.advance(5 * 60_000);
  }
  // What had been given up would come now.
  await pause(1_000);
  const recipients = sink.received.flatMap(({ to }) => to);
  expect(recipients.filter((address) => address.startsWith('expired'))).toEqual([]);
  expect(recipients).toHaveLength(40);
  expect(new Set(recipients).size).toBe(40);
}, 120_000);
