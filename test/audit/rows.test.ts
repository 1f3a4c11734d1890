/** What is recorded, and in which commit. */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { recorded } from '../../src/core/audit/audited-event.ts';
import { auditAfter, shownEvent } from '../../src/core/audit/read.ts';
import { createAdminRig } from '../admin/rig.ts';
import type { AdminRig } from '../admin/rig.ts';

let rig: AdminRig;
beforeAll(async () => {
  rig = await createAdminRig();
});
afterAll(() => rig.stop());

const rows = () => auditAfter(rig.app.db, 0, 1_000);
const newest = async (event: string) =>
  (await rows()).map(shownEvent).findLast((row) => row.event === event);

test('there is no checkpoint before anything is sealed', async () => {
  expect((await rig.admin('GET', '/admin/audit/checkpoint')).status).toBe(404);
});

describe('a sign-in', () => {
  test('is recorded with who, from where, and with which factors', async () => {
    const user = await rig.app.register('ada');
    await rig.app.login('ada');
    expect(await newest('sign_in.succeeded')).toMatchObject({
      outcome: 'success',
      at: rig.app.clock.now(),
      user: user.userId,
      session: expect.any(String),
      actor: { kind: 'anonymous', id: null, name: null },
      details: { factor: 'password', amr: ['pwd'] },
      personal: { ip: '127.0.0.1', name: 'ada' },
    });
  });

  test('its personal part is in the row by its salted hash alone', async () => {
    for (const { data, personal, salt } of await rows()) {
      expect(data).not.toContain('127.0.0.1');
      expect(data).not.toContain('"ada"');
      if (personal === null || salt === null) continue;
      const hash = createHash('sha256').update(salt).update(personal).digest('base64url');
      expect(JSON.parse(data).personal).toBe(hash);
    }
  });
});

describe('A17: an act of an operator', () => {
  test('names the API key', async () => {
    const made = await rig.admin('POST', '/admin/users', { username: 'grace' });
    await rig.admin('PATCH', `/admin/users/${made.body.id}`, { disabled: true });
    expect(await newest('user.disabled')).toMatchObject({
      user: made.body.id,
      actor: { kind: 'api_key', id: rig.key.id, name: 'console' },
    });
  });

  test('that changes nothing is not recorded', async () => {
    const before = (await rows()).length;
    expect((await rig.admin('DELETE', '/admin/users/x/sessions/y')).status).toBe(404);
    const user = await rig.app.register('idle');
    await rig.app.call('POST', '/logout', { body: { refresh_token: user.refresh } });
    await rig.app.call('POST', '/logout', { body: { refresh_token: user.refresh } });
    const after = (await rows()).slice(before).map(shownEvent);
    expect(after.map(({ event }) => event)).toEqual([
      'user.registered',
      'sign_in.succeeded',
      'session.ended',
    ]);
    expect(after.at(-1)).toMatchObject({ user: user.userId, details: { reason: 'logout' } });
  });
});

describe('GET /admin/events', () => {
  test('pages go backwards, and what is recorded meanwhile moves nothing', async () => {
    const first = await rig.admin('GET', '/admin/events?limit=2');
    await rig.app.register('meanwhile');
    const next = await rig.admin('GET', `/admin/events?limit=2&cursor=${first.body.next_cursor}`);
    const all = (await rows())
      .map(shownEvent)
      .reverse()
      .map(({ id }) => id);
    const ids = (reply: typeof first) => reply.body.events.map(({ id }: { id: string }) => id);
    expect([...ids(first), ...ids(next)]).toEqual(all.slice(2, 6));
  });

  test('filters by user, event, outcome and time', async () => {
    const user = await rig.app.register('filtered');
    const count = async (query: string) =>
      (await rig.admin('GET', `/admin/events?user_id=${user.userId}${query}`)).body.events.length;
    expect(await count('')).toBe(2);
    expect(await count('&event=user.registered')).toBe(1);
    expect(await count('&outcome=failure')).toBe(0);
    expect(await count('&since=2031-05-20T12:00:00Z')).toBe(2);
    expect(await count('&until=2031-05-20T12:00:00Z')).toBe(0);
    expect((await rig.admin('GET', '/admin/events?since=soon')).status).toBe(422);
    expect((await rig.admin('GET', '/admin/events?cursor=zz')).status).toBe(422);
  });
});

test('deleting a user erases the personal parts, and leaves the rows', async () => {
  const user = await rig.app.register('erased');
  await rig.admin('DELETE', `/admin/users/${user.userId}`);
  const own = (await rows()).map(shownEvent).filter((row) => row.user === user.userId);
  expect(own.map(({ event }) => event)).toEqual([
    'user.registered',
    'sign_in.succeeded',
    'user.deleted',
  ]);
  // The last is about the operator.
  expect(own.map(({ personal }) => personal?.ip)).toEqual([undefined, undefined, '127.0.0.1']);
});

test('A17: a commit without a context records nothing, and says so', async () => {
  const { commit } = rig.app.kernel;
  await expect(commit.inAnySession([recorded('user.updated', 'nobody did it')])).rejects.toThrow(
    'with a context',
  );
});
