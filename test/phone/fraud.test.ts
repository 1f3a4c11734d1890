/** SMS pumping, and what honest users may still do (L06, the rules of docs/sms.md). */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createTestApp, tidy } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';
import type { Metrics } from '../../src/lib/metrics.ts';
import { NO_METRICS } from '../../src/lib/metrics.ts';
import {
  DAY,
  HOUR,
  MINUTE,
  SMS_REGISTERS,
  SMS_SIGN_IN,
  ask,
  codeOf,
  newNetwork,
  newNumber,
  outcome,
  owner,
  present,
  sentCount,
} from './rig.ts';

let app: TestApp;
let denied: string[];
beforeEach(async () => {
  denied = [];
  const metrics: Metrics = { ...NO_METRICS, smsDenied: (rule) => void denied.push(rule) };
  app = await createTestApp({ config: SMS_REGISTERS, metrics });
});
afterEach(() => app.stop());

/** Asks for a code, and enters it. */
async function honest(phone: string, ip = newNetwork()): Promise<boolean> {
  const { body } = await ask(app, phone, ip);
  const code = codeOf(await app.texts(phone));
  return (await present(app, body.otp_id, code)).status === 200;
}

const same = (replies: readonly { status: number }[]): void =>
  expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([202]));

describe('SMS pumping', () => {
  test('by one network over many numbers and countries: five messages, of two hundred requests at once', async () => {
    const ip = newNetwork();
    const countries = ['DE', 'AT', 'LV', 'TJ'];
    for (let batch = 0; batch < 10; batch++) {
      const some = Array.from({ length: 20 }, (_, n) => ask(app, newNumber(countries[n % 4]), ip));
      same(await Promise.all(some));
    }
    expect(await sentCount(app)).toBe(5);
    expect(new Set(denied)).toContain('network_hour');
    // A denied one is an event, and leaves nothing that counts.
    const events = app.log.filter(({ event }) => event === 'sms.denied');
    expect([events.length, denied.length]).toEqual([195, 195]);
    expect(events[0]).toMatchObject({ level: 'warn' });
  });

  test('by one network with patience: fifteen messages a day, and three countries without a success', async () => {
    const ip = newNetwork();
    for (let hour = 0; hour < 12; hour++) {
      for (let n = 0; n < 4; n++) same([await ask(app, newNumber(n % 2 === 0 ? 'AT' : 'LV'), ip)]);
      app.clock.advance(HOUR - 1);
    }
    expect(await sentCount(app)).toBeLessThanOrEqual(15);
    expect(denied).toContain('network_day');
    const other = newNetwork();
    app.clock.advance(2 * DAY);
    const before = await sentCount(app);
    for (const country of ['DE', 'AT', 'LV', 'TJ', 'TJ']) await ask(app, newNumber(country), other);
    expect(await sentCount(app)).toBe(before + 3);
    expect(denied.at(-1)).toBe('network_countries');
  });

  test('by many networks to one expensive country: twenty messages a day, other countries go on', async () => {
    for (let hour = 0; hour < 23; hour++) {
      same(await Promise.all(Array.from({ length: 8 }, () => ask(app, newNumber('TJ')))));
      app.clock.advance(HOUR);
    }
    expect(await sentCount(app)).toBe(20);
    expect(denied).toContain('country_hour');
    expect(denied).toContain('country_day');
    expect(await honest(newNumber('DE'))).toBe(true);
  });

  test('three hundred honest users of an hour all get in, in a country that was new to the service', async () => {
    let signedIn = 0;
    for (let n = 0; n < 100; n++) {
      const phones = [newNumber(), newNumber(), newNumber()];
      const done = [];
      for (const phone of phones) done.push({ phone, asked: await ask(app, phone) });
      for (const { phone, asked } of done) {
        const reply = await present(app, asked.body.otp_id, codeOf(await app.texts(phone)));
        if (reply.status === 200) signedIn++;
      }
      app.clock.advance(36_000);
    }
    expect([signedIn, denied]).toEqual([300, []]);
    // The limit has grown with them: a fifth of the best day, a sixth of it in an hour.
    for (let n = 0; n < 30; n++) await ask(app, newNumber());
    expect(denied).toHaveLength(20);
    app.clock.advance(HOUR);
    await tidy(app);
    await ask(app, newNumber());
    expect(denied).toHaveLength(20);
    // Two weeks later it is forgotten.
    app.clock.advance(16 * DAY);
    await tidy(app);
    for (let n = 0; n < 4; n++) await ask(app, newNumber());
    expect(denied).toHaveLength(21);
  });
});

test('who asks again because a message is late leaves nothing that did not come back', async () => {
  const ip = newNetwork();
  for (let user = 0; user < 4; user++) {
    const phone = newNumber();
    let last = '';
    for (let n = 0; n < 3; n++) {
      last = (await ask(app, phone, ip)).body.otp_id;
      app.clock.advance(MINUTE);
    }
    const reply = await present(app, last, codeOf(await app.texts(phone)));
    expect([user, reply.status]).toEqual([user, 200]);
  }
  expect(denied).toEqual([]);
});

describe('limits', () => {
  test('L06: of a number: one a minute and six a day, and one for a network that had none, eighteen in all', async () => {
    const phone = newNumber();
    const ip = newNetwork();
    for (let n = 0; n < 50; n++) await ask(app, phone, ip);
    expect(await sentCount(app)).toBe(1);
    const stranger = await ask(app, phone);
    expect(codeOf(await app.texts(phone))).toMatch(/^\d{6}$/);
    expect(stranger.status).toBe(202);
    for (let n = 0; n < 40; n++) {
      await ask(app, phone);
      app.clock.advance(30 * MINUTE);
    }
    expect(await sentCount(app)).toBeLessThanOrEqual(18);
    expect(new Set(denied)).toContain('number');
  });

  test('of all: max_per_day, whoever asks', async () => {
    const own = await createTestApp({
      config: SMS_REGISTERS.replace('[sms]', '[sms]\nmax_per_day = 7\nmax_unverified = 1000'),
    });
    await Promise.all(Array.from({ length: 60 }, () => ask(own, newNumber())));
    expect(await sentCount(own)).toBe(7);
    await own.stop();
  });

  test('numbers without an account use up no country, and the codes of known numbers still go out', async () => {
    const own = await createTestApp({ config: SMS_SIGN_IN });
    const known = await owner(own);
    own.clock.advance(2 * MINUTE);
    for (let n = 0; n < 40; n++) await ask(own, newNumber());
    const { body } = await ask(own, known.phone);
    const code = codeOf(await own.texts(known.phone));
    expect((await present(own, body.otp_id, code)).status).toBe(200);
    await own.stop();
  });

  test('the rows of a network are bounded: then the answer is overloaded, whoever has the number', async () => {
    const own = await createTestApp({
      config: SMS_SIGN_IN,
      env: { POSTERN_MAIL_MAX_PER_NETWORK: '5' },
    });
    const known = await owner(own);
    const ip = newNetwork();
    for (let n = 0; n < 5; n++) expect((await ask(own, newNumber(), ip)).status).toBe(202);
    expect(outcome(await ask(own, newNumber(), ip))).toEqual([503, 'overloaded']);
    expect(outcome(await ask(own, known.phone, ip))).toEqual([503, 'overloaded']);
    await own.stop();
  });
});
