/** Looking after users over HTTP: what each act does, to sessions too, and who did it in the log. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PASSWORD } from '../support/app.ts';
import { changedWhileReading } from '../support/meanwhile.ts';
import { codeAt } from '../support/mfa.ts';
import { createAdminRig, linesOf } from './rig.ts';
import type { AdminRig } from './rig.ts';

let rig: AdminRig;
beforeAll(async () => {
  rig = await createAdminRig();
});
afterAll(() => rig.stop());

const isLive = async (access: string): Promise<boolean> =>
  (await rig.app.call('GET', '/verify', { token: access })).status === 204;

/** The last line of an event, which names the key. */
const lastLine = (event: string) => linesOf(rig.app, event).at(-1);

describe('GET /admin/users/{id}: why somebody can not sign in', () => {
  test('a user like others: nothing is in the way, and no secret is in the answer', async () => {
    const user = await rig.app.register('ada');
    const { status, body } = await rig.admin('GET', `/admin/users/${user.userId}`);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      id: user.userId,
      username: 'ada',
      external_id: null,
      obstacles: [],
      disabled: false,
      mfa_enabled: false,
      enrolled_factors: ['password'],
      failed_attempts: [],
      waiting_emails: [],
      factors: { totp: null, passkeys: [], recovery_codes_left: 0 },
    });
    expect(body.sessions).toEqual([expect.objectContaining({ id: user.sessionId, amr: ['pwd'] })]);
    expect(body.password_changed_at).toBe(new Date(rig.app.clock.now()).toISOString());
    expect(JSON.stringify(body)).not.toMatch(/argon2|secret|epoch/);
  });

  test('failed attempts: the wait, then what unlock does', async () => {
    const user = await rig.app.register('dora');
    for (let n = 0; n < 12; n++) await rig.app.login('dora', 'not the password at all');
    expect((await rig.app.login('dora')).status).toBe(429);
    const { body } = await rig.admin('GET', `/admin/users/${user.userId}`);
    expect(body.obstacles).toEqual(['waiting']);
    expect(body.failed_attempts).toEqual([
      expect.objectContaining({ purpose: 'password', scope: 'anybody', locked: false }),
    ]);
    expect(body.failed_attempts[0].failures).toBeGreaterThanOrEqual(10);
    expect((await rig.admin('POST', `/admin/users/${user.userId}/unlock`)).status).toBe(204);
    expect((await rig.app.login('dora')).status).toBe(200);
    expect(lastLine('user.unlocked')).toMatchObject({
      'user.id': user.userId,
      'api_key.id': rig.key.id,
    });
    expect((await rig.admin('GET', `/admin/users/${user.userId}`)).body.obstacles).toEqual([]);
  });

  test('emails that wait: by kind and state, never with their content', async () => {
    const { body: made } = await rig.admin('POST', '/admin/users', { email: 'wait@example.com' });
    const { body } = await rig.admin('GET', `/admin/users/${made.id}`);
    expect(body.obstacles).toEqual(['no_sign_in_name', 'no_first_factor']);
    expect(body.waiting_emails).toEqual([
      expect.objectContaining({ letter: 'invitation', recipient: 'wait@example.com', attempts: 0 }),
    ]);
    expect((await rig.admin('GET', `/admin/users/${made.id}/emails`)).body.emails).toEqual(
      body.waiting_emails,
    );
    const mailed = (await rig.app.emails('wait@example.com'))[0]?.values['token'];
    expect(JSON.stringify(body)).not.toContain(mailed);
    expect((await rig.admin('GET', `/admin/users/${made.id}/emails`)).body.emails).toEqual([]);
  });

  test('an email that waits can be taken back, of its own user alone', async () => {
    const { body: made } = await rig.admin('POST', '/admin/users', { email: 'oops@example.com' });
    const { body: other } = await rig.admin('POST', '/admin/users', { username: 'oops' });
    const list = `/admin/users/${made.id}/emails`;
    const [{ id }] = (await rig.admin('GET', list)).body.emails;
    expect((await rig.admin('DELETE', `/admin/users/${other.id}/emails/${id}`)).status).toBe(404);
    expect((await rig.admin('DELETE', `${list}/${id}`)).status).toBe(204);
    expect((await rig.admin('DELETE', `${list}/${id}`)).status).toBe(404);
    expect((await rig.admin('GET', list)).body.emails).toEqual([]);
    expect(await rig.app.emails('oops@example.com')).toEqual([]);
    expect(lastLine('letter.cancelled')).toMatchObject({
      'user.id': made.id,
      letter: 'invitation',
      'api_key.id': rig.key.id,
    });
  });

  test("what waits for an address's owner is not shown with those who only claim it", async () => {
    const owner = await invitedUser('owner@example.com');
    const mallory = await rig.app.register('mallory');
    await rig.app.call('PATCH', '/me', {
      token: mallory.access,
      body: { email: 'owner@example.com' },
    });
    await rig.app.emails('owner@example.com');
    await rig.admin('POST', `/admin/users/${owner}/password-reset`);
    const letters = async (id: string) =>
      (await rig.admin('GET', `/admin/users/${id}/emails`)).body.emails.map(
        ({ letter }: { letter: string }) => letter,
      );
    expect(await letters(owner)).toEqual(['reset_password']);
    expect(await letters(mallory.userId)).toEqual([]);
  });
});

/** A user who came by an invitation, with a verified address. */
async function invitedUser(email: string): Promise<string> {
  const { body } = await rig.admin('POST', '/admin/users', { email });
  const token = (await rig.app.emails(email))[0]?.values['token'];
  const set = await rig.app.call('POST', '/password/reset', {
    body: { token, password: PASSWORD },
  });
  expect(set.status).toBe(204);
  return body.id;
}

describe('POST /admin/users', () => {
  test('an invitation: its link sets the password and verifies the address, once', async () => {
    const { status, body } = await rig.admin('POST', '/admin/users', {
      email: 'Eve@Example.com',
      display_name: 'Eve',
      external_id: 'crm-7',
      claims: { roles: ['editor'] },
      user_metadata: { locale: 'de' },
    });
    expect(status).toBe(201);
    expect(body).toMatchObject({
      email: 'Eve@Example.com',
      email_verified: false,
      external_id: 'crm-7',
      claims: { roles: ['editor'] },
      user_metadata: { locale: 'de' },
    });
    expect((await rig.app.login('eve@example.com')).status).toBe(401);
    const [mail] = await rig.app.emails('Eve@example.com');
    expect(mail?.template).toBe('invitation');
    const token = mail?.values['token'];
    const choose = () =>
      rig.app.call('POST', '/password/reset', { body: { token, password: PASSWORD } });
    expect((await choose()).status).toBe(204);
    expect((await choose()).status).toBe(410);
    const signedIn = await rig.app.login('eve@example.com');
    expect(signedIn.status).toBe(200);
    const me = await rig.app.call('GET', '/me', { token: signedIn.body.access_token });
    expect(me.body).toMatchObject({ id: body.id, email_verified: true });
    const claims = JSON.parse(
      Buffer.from(signedIn.body.access_token.split('.')[1], 'base64url').toString(),
    );
    expect(claims.roles).toEqual(['editor']);
    expect(lastLine('user.created')).toMatchObject({
      'user.id': body.id,
      'api_key.id': rig.key.id,
    });
  });

  test('an invitation is void when another address was set, and when somebody else verified it', async () => {
    const { body } = await rig.admin('POST', '/admin/users', { email: 'first@example.com' });
    const old = (await rig.app.emails('first@example.com'))[0]?.values['token'];
    await rig.admin('PATCH', `/admin/users/${body.id}`, { email: 'second@example.com' });
    const use = (token: string | undefined) =>
      rig.app.call('POST', '/password/reset', { body: { token, password: PASSWORD } });
    expect((await use(old)).body.code).toBe('token_spent_or_expired');
    const renewed = (await rig.app.emails('second@example.com'))[0];
    expect(renewed?.template).toBe('invitation');
    const { body: rival } = await rig.admin('POST', '/admin/users', { email: 'third@example.com' });
    await rig.app.emails('third@example.com');
    await rig.admin('PATCH', `/admin/users/${rival.id}`, {
      email: 'second@example.com',
      email_verified: true,
    });
    expect((await use(renewed?.values['token'])).body.code).toBe('token_spent_or_expired');
    expect((await rig.admin('GET', `/admin/users/${body.id}`)).body.email_verified).toBe(false);
  });

  test('an invited account that changes meanwhile is invited to nothing: 409 conflict', async () => {
    const { body } = await rig.admin('POST', '/admin/users', { email: 'race@example.com' });
    await rig.app.emails('race@example.com');
    const path = `/admin/users/${body.id}`;
    const meanwhile = { userId: body.id, table: 'password_credential' };
    for (const send of [
      () => rig.admin('POST', `${path}/password-reset`),
      () => rig.admin('PATCH', path, { email: 'raced@example.com' }),
    ]) {
      const reply = await changedWhileReading(rig.app, meanwhile, send);
      expect([reply.status, reply.body.code]).toEqual([409, 'conflict']);
    }
    expect(await rig.app.emails('race@example.com')).toEqual([]);
    expect(await rig.app.emails('raced@example.com')).toEqual([]);
    expect((await rig.admin('GET', path)).body.pending_email).toBe('race@example.com');
  });

  test('a disabled account that nobody has used yet gets another address and no invitation', async () => {
    const { body } = await rig.admin('POST', '/admin/users', { email: 'off@example.com' });
    const path = `/admin/users/${body.id}`;
    await rig.admin('PATCH', path, { disabled: true });
    const changed = await rig.admin('PATCH', path, { email: 'off2@example.com' });
    expect([changed.status, changed.body.pending_email]).toEqual([200, 'off2@example.com']);
    expect(await rig.app.emails('off2@example.com')).toEqual([]);
    await rig.admin('PATCH', path, { disabled: false });
    expect((await rig.admin('POST', `${path}/password-reset`)).body.sent).toBe('invitation');
  });

  test('an invitation ends after admin.invitation_ttl, and can be sent once more', async () => {
    const { body } = await rig.admin('POST', '/admin/users', { email: 'late@example.com' });
    const token = (await rig.app.emails('late@example.com'))[0]?.values['token'];
    rig.app.clock.advance(3 * 86_400_000 + 1);
    const use = (text: string | undefined) =>
      rig.app.call('POST', '/password/reset', { body: { token: text, password: PASSWORD } });
    expect((await use(token)).status).toBe(410);
    expect((await rig.admin('POST', `/admin/users/${body.id}/password-reset`)).body).toEqual({
      sent: 'invitation',
      to: 'late@example.com',
    });
    const again = (await rig.app.emails('late@example.com')).at(-1);
    expect(again?.template).toBe('invitation');
    expect((await use(again?.values['token'])).status).toBe(204);
  });

  test('taken names are named; nothing is made', async () => {
    await invitedUser('taken@example.com');
    await rig.admin('POST', '/admin/users', { username: 'taken', external_id: 'taken-1' });
    const codeOf = async (body: object) =>
      (await rig.admin('POST', '/admin/users', body)).body.code;
    expect(await codeOf({ username: 'TAKEN' })).toBe('username_taken');
    expect(await codeOf({ email: 'taken@EXAMPLE.com' })).toBe('email_taken');
    expect(await codeOf({ username: 'free', external_id: 'taken-1' })).toBe('external_id_taken');
    expect(await codeOf({ display_name: 'Nobody' })).toBe('invalid_request');
    expect((await rig.admin('GET', '/admin/users?username=free')).body.users).toEqual([]);
  });

  test('of parallel requests with one external_id, one makes an account and the others are told', async () => {
    const replies = await Promise.all(
      Array.from({ length: 8 }, (_, n) =>
        rig.admin('POST', '/admin/users', { username: `sync${n}`, external_id: 'sync' }),
      ),
    );
    const codes = replies.map(({ status, body }) => (status === 201 ? 'made' : body.code)).sort();
    expect(codes).toEqual([...Array(7).fill('external_id_taken'), 'made']);
  });
});

describe('PATCH /admin/users/{id}', () => {
  test('disabled ends every session at once, and enabling lets the user in again', async () => {
    const user = await rig.app.register('bob');
    const patch = (body: object) => rig.admin('PATCH', `/admin/users/${user.userId}`, body);
    expect((await patch({ disabled: true })).body.disabled).toBe(true);
    expect(await isLive(user.access)).toBe(false);
    expect((await rig.app.login('bob')).body.code).toBe('account_disabled');
    expect(lastLine('user.disabled')).toMatchObject({
      'user.id': user.userId,
      'api_key.id': rig.key.id,
    });
    const before = linesOf(rig.app, 'user.disabled').length;
    expect((await patch({ disabled: true })).status).toBe(200);
    expect(linesOf(rig.app, 'user.disabled').length).toBe(before);
    expect((await rig.admin('GET', `/admin/users/${user.userId}`)).body.obstacles).toEqual([
      'disabled',
    ]);
    expect((await rig.admin('POST', `/admin/users/${user.userId}/password-reset`)).body.code).toBe(
      'account_disabled',
    );
    expect((await patch({ disabled: false })).body.disabled).toBe(false);
    expect((await rig.app.login('bob')).status).toBe(200);
  });

  test('password_change_required ends every session, and can be taken back', async () => {
    const user = await rig.app.register('carl');
    const patch = (body: object) => rig.admin('PATCH', `/admin/users/${user.userId}`, body);
    expect((await patch({ password_change_required: true })).body.password_change_required).toBe(
      true,
    );
    expect(await isLive(user.access)).toBe(false);
    expect((await rig.app.login('carl')).body.code).toBe('password_change_required');
    expect((await patch({ password_change_required: false })).status).toBe(200);
    expect((await rig.app.login('carl')).status).toBe(200);
  });

  test('a profile: what is left out stays, null removes, all or nothing', async () => {
    const user = await rig.app.register('fay');
    const patch = (body: object) => rig.admin('PATCH', `/admin/users/${user.userId}`, body);
    const { body } = await patch({
      username: 'fay.new',
      display_name: 'Fay',
      external_id: 'f-1',
      claims: { groups: ['a'] },
      user_metadata: { a: 1 },
    });
    expect(body).toMatchObject({ username: 'fay.new', display_name: 'Fay', external_id: 'f-1' });
    expect(await isLive(user.access)).toBe(true);
    const refused = await patch({ display_name: 'Other', username: 'bob' });
    expect(refused.body.code).toBe('username_taken');
    const removed = (await patch({ display_name: null, external_id: null })).body;
    expect(removed).toMatchObject({
      username: 'fay.new',
      display_name: null,
      external_id: null,
      claims: { groups: ['a'] },
      user_metadata: { a: 1 },
    });
    await rig.admin('POST', '/admin/users', { username: 'gus', external_id: 'g-1' });
    expect((await patch({ external_id: 'g-1' })).body.code).toBe('external_id_taken');
    expect((await patch({ claims: { sub: 'x' } })).body.errors).toEqual([
      expect.objectContaining({ pointer: '/claims/sub', code: 'registered_claim' }),
    ]);
  });

  test('a new email is pending, its code goes there, and the former address is told', async () => {
    const id = await invitedUser('holds@example.com');
    const patch = (body: object) => rig.admin('PATCH', `/admin/users/${id}`, body);
    const { body } = await patch({ email: 'next@example.com' });
    expect(body).toMatchObject({ email: 'holds@example.com', pending_email: 'next@example.com' });
    expect((await rig.app.emails('next@example.com'))[0]?.template).toBe('verify_address');
    expect((await rig.app.emails('holds@example.com')).map(({ template }) => template)).toEqual([
      'address_change_requested',
    ]);
    const signedIn = await rig.app.login('holds@example.com');
    const vouched = await patch({ email_verified: true });
    expect(vouched.body).toMatchObject({ email: 'next@example.com', email_verified: true });
    expect(await isLive(signedIn.body.access_token)).toBe(false);
    expect((await rig.app.emails('holds@example.com')).map(({ template }) => template)).toEqual([
      'address_changed',
    ]);
    expect((await rig.app.login('holds@example.com')).status).toBe(401);
    expect((await rig.app.login('next@example.com')).status).toBe(200);
    expect((await patch({ email_verified: false })).body.errors[0].pointer).toBe('/email_verified');
    const other = await invitedUser('other@example.com');
    const claimed = await rig.admin('PATCH', `/admin/users/${other}`, {
      email: 'next@example.com',
    });
    expect(claimed.body.code).toBe('email_taken');
    const taken = { email: 'next@example.com', email_verified: true };
    expect((await rig.admin('PATCH', `/admin/users/${other}`, taken)).body.code).toBe(
      'email_taken',
    );
  });

  test('a code can not be made while hashing is overloaded, and nothing is changed then', async () => {
    const id = await invitedUser('busy@example.com');
    const reply = await rig.app.whileHashQueueIsFull(() =>
      rig.admin('PATCH', `/admin/users/${id}`, { email: 'busier@example.com' }),
    );
    expect(reply.body.code).toBe('overloaded');
    expect((await rig.admin('GET', `/admin/users/${id}`)).body.pending_email).toBeNull();
  });
});

describe('what is done to a user', () => {
  test('a reset goes to the verified address alone, the link is in no answer, and it ends sessions when it is used', async () => {
    const id = await invitedUser('lost@example.com');
    const signedIn = await rig.app.login('lost@example.com');
    const started = await rig.admin('POST', `/admin/users/${id}/password-reset`);
    expect([started.status, started.body]).toEqual([
      202,
      { sent: 'reset', to: 'lost@example.com' },
    ]);
    expect(await isLive(signedIn.body.access_token)).toBe(true);
    const token = (await rig.app.emails('lost@example.com'))[0]?.values['token'];
    const password = 'another horse battery staple';
    await rig.app.call('POST', '/password/reset', { body: { token, password } });
    expect(await isLive(signedIn.body.access_token)).toBe(false);
    expect((await rig.app.login('lost@example.com', password)).status).toBe(200);
    expect(lastLine('password.reset_started')).toMatchObject({
      reason: 'emailed',
      'api_key.id': rig.key.id,
    });
    const bare = await rig.app.register('bare');
    const refused = await rig.admin('POST', `/admin/users/${bare.userId}/password-reset`);
    expect([refused.status, refused.body.code]).toEqual([409, 'no_verified_address']);
  });

  test('a claimed address gets no link: its account has a password', async () => {
    const user = await rig.app.register('claims');
    await rig.app.call('PATCH', '/me', {
      token: user.access,
      body: { email: 'victim@example.com' },
    });
    await rig.app.emails('victim@example.com');
    const refused = await rig.admin('POST', `/admin/users/${user.userId}/password-reset`);
    expect(refused.body.code).toBe('no_verified_address');
    expect(await rig.app.emails('victim@example.com')).toEqual([]);
  });

  test('logout ends every session and says how many; a half-done sign-in is void', async () => {
    const first = await rig.app.register('gina');
    await rig.app.login('gina');
    const { status, body } = await rig.admin('POST', `/admin/users/${first.userId}/logout`);
    expect([status, body]).toEqual([200, { sessions_ended: 2 }]);
    expect(await isLive(first.access)).toBe(false);
    expect(lastLine('user.signed_out')).toMatchObject({ 'api_key.id': rig.key.id });
  });

  test('one session ends, by its id and its user', async () => {
    const user = await rig.app.register('hugo');
    const second = (await rig.app.login('hugo')).body;
    const sessions = `/admin/users/${user.userId}/sessions`;
    expect((await rig.admin('GET', sessions)).body.sessions).toHaveLength(2);
    expect((await rig.admin('DELETE', `${sessions}/${user.sessionId}`)).status).toBe(204);
    expect(await isLive(user.access)).toBe(false);
    expect(await isLive(second.access_token)).toBe(true);
    expect((await rig.admin('DELETE', `${sessions}/${user.sessionId}`)).status).toBe(404);
  });

  test('factors are removed, every session ends, and the password alone signs in', async () => {
    const user = await rig.app.register('zoe');
    const { secret } = (await rig.app.call('POST', '/me/totp', { token: user.access })).body;
    await rig.app.call('POST', '/me/totp/confirm', {
      token: user.access,
      body: { code: codeAt(secret, rig.app.clock.now()) },
    });
    expect((await rig.app.login('zoe')).body.status).toBe('mfa_required');
    const shown = (await rig.admin('GET', `/admin/users/${user.userId}`)).body;
    expect([shown.mfa_enabled, shown.factors.recovery_codes_left]).toEqual([true, 10]);
    expect(JSON.stringify(shown)).not.toContain(secret);
    expect((await rig.admin('DELETE', `/admin/users/${user.userId}/factors`)).status).toBe(204);
    expect(await isLive(user.access)).toBe(false);
    expect((await rig.app.login('zoe')).body.status).toBe('authenticated');
    expect(lastLine('factor.all_removed')).toMatchObject({ 'api_key.id': rig.key.id });
  });

  test('deleting takes sessions, links and waiting emails along', async () => {
    const id = await invitedUser('gone@example.com');
    const signedIn = await rig.app.login('gone@example.com');
    await rig.admin('POST', `/admin/users/${id}/password-reset`);
    expect((await rig.admin('DELETE', `/admin/users/${id}`)).status).toBe(204);
    expect(await isLive(signedIn.body.access_token)).toBe(false);
    expect(await rig.app.emails('gone@example.com')).toEqual([]);
    expect((await rig.app.login('gone@example.com')).status).toBe(401);
    expect((await rig.admin('DELETE', `/admin/users/${id}`)).status).toBe(404);
    expect(lastLine('user.deleted')).toMatchObject({
      'user.id': id,
      'api_key.id': rig.key.id,
    });
  });

  test.each([
    ['GET', ''],
    ['PATCH', ''],
    ['DELETE', ''],
    ['POST', '/unlock'],
    ['POST', '/logout'],
    ['POST', '/password-reset'],
    ['DELETE', '/factors'],
    ['GET', '/sessions'],
    ['DELETE', '/sessions/01a1fe1f-4f57-71f1-8260-39b2a9e7b97e'],
    ['GET', '/emails'],
    ['DELETE', '/emails/01a1fe1f-4f57-71f1-8260-39b2a9e7b97e'],
  ])('%s %s of nobody is 404', async (method, path) => {
    const body = method === 'PATCH' ? {} : undefined;
    const id = '01a1fe1f-4f57-71f1-8260-39b2a9e7b97e';
    const reply = await rig.admin(method, `/admin/users/${id}${path}`, body);
    expect([reply.status, reply.body.code]).toEqual([404, 'not_found']);
  });
});
