/**
 * Whose email goes out first (L06, L07): a flood of registrations, a slow domain and failing emails
 * delay nobody's reset.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createSystemRandom } from '../../src/crypto/secret.ts';
import { emailChannel } from '../../src/delivery/channels.ts';
import { createCourier } from '../../src/delivery/courier.ts';
import type { Courier } from '../../src/delivery/courier.ts';
import { DeliveryError, EMAILS_AT_ONCE } from '../../src/delivery/transport.ts';
import type { OutgoingEmail, Transport } from '../../src/delivery/transport.ts';
import { PASSWORD, createTestApp } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';

let app: TestApp;
let couriers: Courier[] = [];
beforeEach(async () => {
  app = await createTestApp();
});
afterEach(async () => {
  for (const courier of couriers) await courier.close();
  couriers = [];
  await app.stop();
});

interface Recorder extends Transport {
  readonly sent: OutgoingEmail[];
  readonly rehearsed: OutgoingEmail[];
  /** Sends of these domains that wait until they are let go. */
  readonly held: Map<string, () => void>;
}

function recorder(isSlow: (email: OutgoingEmail) => boolean = () => false): Recorder {
  const sent: OutgoingEmail[] = [];
  const rehearsed: OutgoingEmail[] = [];
  const held = new Map<string, () => void>();
  return {
    name: 'recorder',
    sent,
    rehearsed,
    held,
    send: async (email) => {
      if (isSlow(email)) await new Promise<void>((resolve) => held.set(email.to, resolve));
      sent.push(email);
    },
    rehearse: (email) => {
      rehearsed.push(email);
      return Promise.resolve();
    },
    close: () => undefined,
  };
}

function courierOf(transport: Transport): Courier {
  const made = createCourier({
    db: app.db,
    sealer: app.kernel.sealer,
    clock: app.clock,
    random: createSystemRandom(),
    log: app.kernel.log,
    transports: [transport],
    channel: 'email',
    render: emailChannel('postern', () => null),
  });
  couriers.push(made);
  return made;
}

const register = (email: string) =>
  app.call('POST', '/register', { body: { email, password: PASSWORD } });
const forgot = (username: string) => app.call('POST', '/password/forgot', { body: { username } });

async function provedUser(address: string): Promise<void> {
  const { body } = await register(address);
  const code = (await app.emails(address))[0]?.values['code'];
  await app.call('POST', '/register/verify', {
    body: { registration_id: body.registration_id, code },
  });
}

/** Until a condition holds; the emails under way need turns of the event loop for it. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

test('a reset goes before the registrations that were asked for earlier', async () => {
  await provedUser('owner@example.com');
  for (let i = 0; i < 30; i++) await register(`flood${i}@example.com`);
  await forgot('owner@example.com');
  const way = recorder();
  await courierOf(way).deliverDue();
  expect(way.sent).toHaveLength(31);
  const at = way.sent.findIndex(({ template }) => template === 'reset_password');
  expect(at).toBeLessThan(EMAILS_AT_ONCE);
});

test('the domains of recipients have turns: one flooded domain does not come first', async () => {
  for (let i = 0; i < 30; i++) await register(`flood${i}@flooded.example`);
  await register('ada@one.example');
  await register('eve@two.example');
  const way = recorder();
  await courierOf(way).deliverDue();
  const places = ['ada@one.example', 'eve@two.example'].map((address) =>
    way.sent.findIndex(({ to }) => to === address),
  );
  expect(Math.max(...places)).toBeLessThan(EMAILS_AT_ONCE);
});

test('a slow domain has two emails on their way, and holds up no other', async () => {
  const way = recorder(({ to }) => to.endsWith('@slow.example'));
  for (let i = 0; i < 30; i++) await register(`slow${i}@slow.example`);
  for (let i = 0; i < 20; i++) await register(`quick${i}@quick.example`);
  const courier = courierOf(way);
  const done = courier.deliverDue();
  await until(() => way.sent.length === 20);
  expect(way.held.size).toBe(2);
  // What is slow still goes out, two by two.
  const letGo = setInterval(() => {
    for (const [address, go] of way.held) {
      way.held.delete(address);
      go();
    }
  }, 1);
  await done;
  clearInterval(letGo);
  expect(way.sent).toHaveLength(50);
});

test('one email that hangs holds up none of the others', async () => {
  const way = recorder(({ to }) => to === 'stuck@example.com');
  await register('stuck@example.com');
  for (let i = 0; i < 20; i++) await register(`other${i}@example.com`);
  const done = courierOf(way).deliverDue();
  await until(() => way.sent.length === 20);
  way.held.get('stuck@example.com')?.();
  await done;
  expect(way.sent).toHaveLength(21);
});

test('registrations leave room for resets, however slow all of them are', async () => {
  await provedUser('owner@example.com');
  const way = recorder(({ template }) => template !== 'reset_password');
  for (let i = 0; i < 40; i++) await register(`slow${i}@domain${i}.example`);
  const courier = courierOf(way);
  void courier.deliverDue();
  await until(() => way.held.size === 4);
  await forgot('owner@example.com');
  courier.wake();
  await until(() => way.sent.length === 1);
  expect(way.sent[0]?.template).toBe('reset_password');
  for (;;) {
    for (const go of way.held.values()) go();
    if (way.sent.length === 41) break;
    await new Promise((resolve) => setImmediate(resolve));
  }
});

test('what failed waits behind what was never tried', async () => {
  for (let i = 0; i < 10; i++) await register(`failed${i}@example.com`);
  const failing: Transport = {
    ...recorder(),
    send: () => Promise.reject(new DeliveryError('later', 'transient')),
  };
  const refused = courierOf(failing);
  await refused.deliverDue();
  // A courier polls until it is closed: this one could take the emails below and fail them.
  await refused.close();
  app.clock.advance(60_000);
  for (let i = 0; i < 10; i++) await register(`first${i}@example.com`);
  const way = recorder();
  await courierOf(way).deliverDue();
  const order = way.sent.map(({ to }) => to.startsWith('first'));
  expect(order).toHaveLength(20);
  // The lanes have room of their own, so that some come early, but not before half of the others.
  expect(order.slice(0, 10).filter(Boolean).length).toBeGreaterThanOrEqual(5);
});

test('E06: names without an account go through the same steps, to nobody, and leave nothing of the name', async () => {
  await provedUser('owner@example.com');
  await forgot('owner@example.com');
  await forgot('nobody@example.com');
  await forgot('no name at all');
  // Past the limits of its address a known one is a decoy too.
  await forgot('owner@example.com');
  const way = recorder();
  await courierOf(way).deliverDue();
  expect(way.sent.map(({ to }) => to)).toEqual(['owner@example.com']);
  expect(way.rehearsed).toHaveLength(3);
  for (const { to, text } of way.rehearsed) {
    expect(to).toBe('nobody@localhost.invalid');
    expect(text).toContain('https://auth.example.com/reset-password#token=');
  }
  const rows = await app.db.read({
    sql: `SELECT state, recipient, domain, payload_sealed FROM outbox WHERE letter = 'reset_password' ORDER BY id`,
    params: [],
    map: (all) => all,
    returns: true,
  });
  expect(rows).toEqual([
    ['sent', '', '-', null],
    ['void', '', '-', null],
    ['void', '', '-', null],
    ['void', '', '-', null],
  ]);
});
