/**
 * Events told to other systems: pushed and fetched, in order, at least once, and what a receiver
 * does wrong.
 */
import { createLocalJWKSet, decodeJwt, jwtVerify } from 'jose';
import { afterEach, describe, expect, test } from 'vitest';
import { createEventTokens } from '../../src/features/event-stream/event-token.ts';
import { postEvent } from '../../src/features/event-stream/post-event.ts';
import { createPusher } from '../../src/features/event-stream/push-events.ts';
import type { Pusher } from '../../src/features/event-stream/push-events.ts';
import { recordedEvents } from '../../src/features/event-stream/recorded-event.ts';
import {
  beginStream,
  listDeadLetters,
  retryLetters,
} from '../../src/features/event-stream/store.ts';
import { makeKey } from '../support/api-key.ts';
import { createTestApp } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';
import { startReceiver } from './receiver.ts';
import type { Receiver } from './receiver.ts';

const open: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.stop();
});

const AUDIENCE = 'https://billing.example.com';
const CAEP = 'https://schemas.openid.net/secevent/caep/event-type/';
const RISC = 'https://schemas.openid.net/secevent/risc/event-type/';

interface Stage {
  readonly app: TestApp;
  readonly receiver: Receiver;
  readonly pusher: Pusher;
  pass(): ReturnType<Pusher['pass']>;
  /** The URIs of the events that were taken, with the user of each. */
  told(): readonly (readonly [string, string])[];
}

const signal = new AbortController().signal;

/** A stream whose passes a test makes. */
async function stage(events: readonly string[] = []): Promise<Stage> {
  const app = await createTestApp();
  const receiver = await startReceiver();
  open.push(app, receiver);
  const { kernel } = app;
  const recorded = recordedEvents(kernel.db);
  await kernel.commit.inAnySession([beginStream('billing', await recorded.last())]);
  const to = { url: receiver.url, bearerToken: 'of-the-receiver' };
  const make = (owner: string) =>
    createPusher(
      {
        ...kernel,
        recorded,
        tokens: createEventTokens(kernel),
        owner,
        post: (token, stopping) => postEvent(to, token, stopping),
      },
      { name: 'billing', audience: AUDIENCE, events },
    );
  const pusher = make('this');
  return {
    app,
    receiver,
    pusher,
    pass: () => pusher.pass(signal),
    told: () =>
      receiver.received.map(({ token }) => {
        const { events: told, sub_id: subject } = decodeJwt<{
          events: Record<string, object>;
          sub_id: { sub?: string; user?: { sub: string } };
        }>(token);
        return [Object.keys(told)[0] ?? '', subject.sub ?? subject.user?.sub ?? ''] as const;
      }),
  };
}

describe('a token', () => {
  test('is signed by a key of the JWKS, of its own type, and about user and session', async () => {
    const { app, receiver, pass } = await stage();
    const user = await app.register('ada');
    await app.call('POST', '/logout', { body: { refresh_token: user.refresh } });
    await pass();
    const last = receiver.received.at(-1);
    expect(last).toMatchObject({
      type: 'application/secevent+jwt',
      authorization: 'Bearer of-the-receiver',
    });
    const { body } = await app.call('GET', '/.well-known/jwks.json');
    const { payload } = await jwtVerify(last?.token ?? '', createLocalJWKSet(body), {
      issuer: app.kernel.issuer,
      audience: AUDIENCE,
      typ: 'secevent+jwt',
      currentDate: new Date(app.clock.now()),
    });
    const at = app.clock.now() / 1000;
    expect(payload).toEqual({
      iss: app.kernel.issuer,
      aud: AUDIENCE,
      iat: at,
      toe: at,
      jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
      sub_id: {
        format: 'complex',
        user: { format: 'iss_sub', iss: app.kernel.issuer, sub: user.userId },
        session: { format: 'opaque', id: user.sessionId },
      },
      events: {
        [`${CAEP}session-revoked`]: {
          event_timestamp: at,
          initiating_entity: 'user',
          reason_admin: { en: 'logout' },
        },
      },
    });
  });

  test('A18: is refused where an access token is asked for, and an access token is no event', async () => {
    const { app, receiver, pass } = await stage();
    const user = await app.register('ada');
    await pass();
    const { token } = receiver.received[0] ?? { token: '' };
    for (const path of ['/me', '/verify'])
      expect((await app.call('GET', path, { token })).status).toBe(401);
    const { body } = await app.call('GET', '/.well-known/jwks.json');
    await expect(
      jwtVerify(user.access, createLocalJWKSet(body), {
        typ: 'secevent+jwt',
        currentDate: new Date(app.clock.now()),
      }),
    ).rejects.toMatchObject({ claim: 'typ' });
  });
});

describe('pushing', () => {
  test('tells of accounts, sessions and credentials, in order, and of nothing else', async () => {
    const { app, told, pass } = await stage();
    const key = await makeKey(app, 'console', { scopes: ['admin'] });
    expect(key.id).toBeDefined();
    const user = await app.register('ada');
    await app.login('ada', 'a wrong password of ada');
    await app.call('DELETE', '/me', { token: user.access });
    await app.notes.flush();
    await pass();
    expect(told()).toEqual([
      [`${app.kernel.issuer}/event-types/account-created`, user.userId],
      [`${CAEP}session-established`, user.userId],
      [`${RISC}account-purged`, user.userId],
    ]);
  });

  test('tells only what the stream asks for', async () => {
    const { app, told, pass } = await stage(['account-purged']);
    const user = await app.register('ada');
    await app.call('DELETE', '/me', { token: user.access });
    await pass();
    expect(told()).toEqual([[`${RISC}account-purged`, user.userId]]);
  });

  test('a receiver that is down loses nothing; the jti stays; a taken one is not sent again', async () => {
    const { app, receiver, told, pass } = await stage();
    const down = new Set<string>();
    receiver.answer = (token) => {
      down.add(String(decodeJwt(token).jti));
      return { status: 503 };
    };
    const one = await app.register('one');
    for (let at = 0; at < 4; at++) expect(await pass()).toMatchObject({ taken: 0, failed: 1 });
    app.clock.advance(10 * 60_000);
    expect(await pass()).toMatchObject({ taken: 0, failed: 1 });
    const two = await app.register('two');
    receiver.answer = () => ({ status: 202 });
    await pass();
    for (const { userId } of [one, two])
      expect(told().flatMap(([uri, user]) => (user === userId ? [uri] : []))).toEqual([
        `${app.kernel.issuer}/event-types/account-created`,
        `${CAEP}session-established`,
      ]);
    const jtis = receiver.received.map(({ token }) => decodeJwt(token).jti);
    expect(jtis).toEqual(expect.arrayContaining([...down]));
    expect(new Set(jtis).size).toBe(4);
    expect(await pass()).toMatchObject({ taken: 0, failed: 0 });
  });

  test("one user's events keep their order while another's fail, and are not sent twice", async () => {
    const { app, receiver, told, pass } = await stage();
    const bad = await app.register('bad');
    const good = await app.register('good');
    receiver.answer = (token) =>
      JSON.stringify(decodeJwt(token)).includes(bad.userId) ? { status: 500 } : { status: 202 };
    await pass();
    await pass();
    expect(told().map(([, user]) => user)).toEqual([good.userId, good.userId]);
    receiver.answer = () => ({ status: 202 });
    await pass();
    expect(told().slice(2)).toEqual([
      [`${app.kernel.issuer}/event-types/account-created`, bad.userId],
      [`${CAEP}session-established`, bad.userId],
    ]);
  });

  test('what is refused is a dead letter; an operator has it sent again', async () => {
    const { app, receiver, told, pass } = await stage(['account-created']);
    receiver.answer = () => ({
      status: 400,
      body: JSON.stringify({ err: 'invalid_audience', description: 'not\u001bmine' }),
    });
    const user = await app.register('ada');
    await pass();
    const [letter] = await listDeadLetters(app.db);
    expect(letter).toMatchObject({
      stream: 'billing',
      event: 'user.registered',
      error: 'it answered 400: invalid_audience: not?mine',
    });
    expect(app.log.some(({ event }) => event === 'event.dead')).toBe(true);
    receiver.answer = () => ({ status: 202 });
    await pass();
    expect(told()).toEqual([]);
    await app.db.write([retryLetters(letter?.eventId ?? '', app.clock.now())]);
    await pass();
    expect(told()).toEqual([[`${app.kernel.issuer}/event-types/account-created`, user.userId]]);
    expect(await listDeadLetters(app.db)).toEqual([]);
  });

  test('A19: one that always fails is given up after ten tries beside others, or after a day', async () => {
    const { app, receiver, pass } = await stage(['account-created']);
    const bad = await app.register('bad');
    receiver.answer = (token) =>
      JSON.stringify(decodeJwt(token)).includes(bad.userId) ? { status: 500 } : { status: 202 };
    for (let at = 0; at < 10; at++) {
      await app.register(`good${at}`);
      await pass();
    }
    expect((await listDeadLetters(app.db)).map(({ error }) => error)).toEqual(['it answered 500']);
    receiver.answer = () => ({ status: 500 });
    await app.register('late');
    await pass();
    app.clock.advance(86_400_000);
    await pass();
    expect(await listDeadLetters(app.db)).toHaveLength(2);
  });

  test('A19: a slow receiver ends a pass before its lease, and the next one goes on', async () => {
    const { app, receiver } = await stage();
    const { kernel } = app;
    await app.register('ada');
    for (let at = 0; at < 4; at++) await app.login('ada');
    let now = 0;
    const slow = createPusher(
      {
        ...kernel,
        clock: { now: kernel.clock.now, monotonic: () => now },
        recorded: recordedEvents(kernel.db),
        tokens: createEventTokens(kernel),
        owner: 'slow',
        post: (token, stopping) => {
          now += 9_000;
          return postEvent({ url: receiver.url, bearerToken: undefined }, token, stopping);
        },
      },
      { name: 'billing', audience: AUDIENCE, events: [] },
    );
    expect(await slow.pass(signal)).toMatchObject({ taken: 2, failed: 0 });
    expect(await slow.pass(signal)).toMatchObject({ taken: 2, failed: 0 });
    expect(await slow.pass(signal)).toMatchObject({ taken: 2, failed: 0 });
    expect(new Set(receiver.received.map(({ token }) => decodeJwt(token).jti)).size).toBe(6);
  });

  test('one process at a time pushes', async () => {
    const one = await stage();
    const { app } = one;
    await app.register('ada');
    const { kernel } = app;
    const other = createPusher(
      {
        ...kernel,
        recorded: recordedEvents(kernel.db),
        tokens: createEventTokens(kernel),
        owner: 'other',
        post: async () => ({ kind: 'taken' }),
      },
      { name: 'billing', audience: AUDIENCE, events: [] },
    );
    one.receiver.answer = () => ({ status: 503 });
    await one.pass();
    expect(await other.pass(signal)).toMatchObject({ taken: 0 });
    await one.pusher.release();
    expect(await other.pass(signal)).toMatchObject({ taken: 2 });
  });
});

describe('fetching', () => {
  const config = `[events.streams.audit]\naudience = "${AUDIENCE}"\napi_keys = ["siem"]\n`;

  async function polled() {
    const app = await createTestApp({ config });
    open.push(app);
    await app.begin();
    const key = await makeKey(app, 'siem', { scopes: ['events'] });
    const poll = (body: object, text = key.text) =>
      app.call('POST', '/events/audit/poll', {
        headers: { 'postern-key': text },
        body: { returnImmediately: true, ...body },
      });
    return { app, poll };
  }

  test('an event comes until it is acknowledged, in any order, and then no more', async () => {
    const { app, poll } = await polled();
    await app.register('ada');
    await app.register('bob');
    const first = await poll({ maxEvents: 3 });
    const ids = Object.keys(first.body.sets);
    expect([first.status, ids.length, first.body.moreAvailable]).toEqual([200, 3, true]);
    expect(Object.keys((await poll({ maxEvents: 3 })).body.sets)).toEqual(ids);
    const left = await poll({ ack: [ids[1], 'unknown'] });
    expect(Object.keys(left.body.sets)).toEqual([ids[0], ids[2], expect.any(String)]);
    const all = Object.keys(left.body.sets);
    expect((await poll({ ack: all })).body).toEqual({ sets: {}, moreAvailable: false });
    for (const [id, token] of Object.entries(first.body.sets))
      expect(decodeJwt(String(token)).jti).toBe(id);
  });

  test('one that it does not want is a dead letter, and comes again when an operator says so', async () => {
    const { app, poll } = await polled();
    await app.register('ada');
    const [id = '', other = ''] = Object.keys((await poll({})).body.sets);
    const errors = { [id]: { err: 'invalid_request', description: 'no' } };
    expect(Object.keys((await poll({ setErrs: errors, ack: [other] })).body.sets)).toEqual([]);
    expect((await listDeadLetters(app.db)).map(({ error }) => error)).toEqual([
      'invalid_request: no',
    ]);
    await app.db.write([retryLetters('', app.clock.now())]);
    expect(Object.keys((await poll({})).body.sets)).toEqual([id]);
    expect((await poll({ ack: [id] })).body.sets).toEqual({});
    expect(await listDeadLetters(app.db)).toEqual([]);
  });

  test('only with a key that the stream names, of the scope events', async () => {
    const { app, poll } = await polled();
    const stranger = await makeKey(app, 'stranger', { scopes: ['events'] });
    const weak = await makeKey(app, 'weak', { scopes: ['introspect'] });
    expect((await poll({}, stranger.text)).status).toBe(404);
    expect((await poll({}, weak.text)).status).toBe(403);
    const none = await app.call('POST', '/events/none/poll', {
      headers: { 'postern-key': stranger.text },
      body: {},
    });
    expect(none.status).toBe(404);
    expect((await poll({ maxEvents: 101 })).status).toBe(422);
    expect((await poll({ ack: 'x' })).status).toBe(422);
  });

  test('without returnImmediately it waits for the next event', async () => {
    const { app, poll } = await polled();
    const waiting = poll({ returnImmediately: false });
    await app.register('ada');
    expect(Object.keys((await waiting).body.sets).length).toBeGreaterThan(0);
  });
});
