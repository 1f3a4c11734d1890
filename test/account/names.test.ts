/** Names that look like others, or that programs take for something else (E02, H11, G1, G2). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PASSWORD, createTestApp } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp();
});
afterAll(() => app.stop());

const register = (body: object) =>
  app.call('POST', '/register', { body: { password: PASSWORD, ...body } });

describe('usernames', () => {
  test.each([
    ['a zero-width joiner', 'car\u200dl'],
    ['a Hangul filler, which is a letter', 'carl\u3164'],
    ['a variation selector, which is a mark', 'carl\ufe0f'],
    ['a combining grapheme joiner', 'carl\u034f'],
    ['an id', '01a2b3c4-0000-7000-8000-000000000000'],
    ['an id in upper case', '01A2B3C4-0000-7000-8000-00000000ABCD'],
  ])('%s is refused, at registration and at a change', async (_, username) => {
    const made = await register({ username });
    expect([made.status, made.body.errors?.[0]]).toEqual([
      422,
      expect.objectContaining({ pointer: '/username' }),
    ]);
    const { access: token } = await app.register();
    expect((await app.call('PATCH', '/me', { token, body: { username } })).status).toBe(422);
  });

  test.each(['carl', 'Łukasz', 'प्रिया', '山田', 'o-o.o_o'])('%s is taken', async (username) =>
    expect((await register({ username })).status).toBe(201),
  );
});

describe('user_metadata', () => {
  const stored = async (raw: string) => {
    const { access: token } = await app.register();
    const headers = { 'content-type': 'application/json' };
    const reply = await app.call('PATCH', '/me', {
      token,
      headers,
      raw: `{"user_metadata":${raw}}`,
    });
    return [reply.status, reply.body.user_metadata ?? reply.body.errors?.[0]?.code];
  };

  test('a backslash before u and digits is a text like any other', async () => {
    expect(await stored('{"path":"C:\\\\u0000"}')).toEqual([200, { path: 'C:\\u0000' }]);
    expect(await stored('{"path":"\\\\ud800"}')).toEqual([200, { path: '\\ud800' }]);
  });

  test.each(['9007199254740993', '-9007199254740993', '1e400', '[{"a":123456789012345678901}]'])(
    '%s would be stored as another number: refused',
    async (number) => expect(await stored(`{"n":${number}}`)).toEqual([422, 'inexact_number']),
  );

  test.each(['9007199254740991', '-1', '0.1', '1e15'])('%s is kept', async (number) =>
    expect(await stored(`{"n":${number}}`)).toEqual([200, { n: Number(number) }]),
  );
});
