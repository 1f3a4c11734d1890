/** The verbs of API keys and of users' claims, on the database of a running service. */
import { join } from 'node:path';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestApp } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';
import { postForm } from '../support/api-key.ts';
import { run } from '../cli/run.ts';
import type { Run } from '../cli/run.ts';

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp();
});
afterAll(() => app.stop());

const postern = (args: string): Promise<Run> =>
  run(args, {
    env: { POSTERN_DATABASE_URL: `file:${join(app.directory, 'postern.db')}` },
    clock: app.clock,
  });

const active = async (key: string): Promise<number> =>
  (await postForm(app, '/introspect', { token: 'x' }, { 'postern-key': key })).status;

describe('postern apikey', () => {
  test('create shows the key once, alone on stdout; it works at once', async () => {
    const { code, stdout, stderr } = await postern('apikey create billing --scope introspect');
    expect([code, stderr]).toEqual([
      0,
      'billing expires 2031-08-18T12:00:00.000Z. The key is not shown again.\n',
    ]);
    expect(stdout).toMatch(/^[0-9a-f-]{36}:psk_[A-Za-z0-9_-]{43}\n$/);
    expect(await active(stdout.trim())).toBe(200);
    const list = await postern('apikey list');
    expect(list.stdout).toContain('billing');
    expect(list.stdout).not.toContain('psk_');
  });

  test('list --json shows everything but the secret', async () => {
    await postern(
      'apikey create gw --scope exchange --scope caller --expires never --audience https://a.example.com --may-exchange-to https://b.example.com --claim roles=["x"]',
    );
    const rows = (await postern('apikey list --json')).stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(rows.find(({ name }) => name === 'gw')).toEqual({
      id: expect.any(String),
      name: 'gw',
      state: 'active',
      scopes: ['exchange', 'caller'],
      audiences: ['https://a.example.com'],
      may_exchange_to: ['https://b.example.com'],
      claims: { roles: ['x'] },
      created_at: '2031-05-20T12:00:00.000Z',
      expires_at: null,
      last_used_at: null,
      revoked_at: null,
    });
  });

  test('revoke holds from the next request on', async () => {
    const key = (await postern('apikey create brief --scope introspect')).stdout.trim();
    expect(await active(key)).toBe(200);
    const asked = await postern('apikey revoke brief');
    expect([asked.code, asked.stderr]).toEqual([2, expect.stringContaining('add --yes')]);
    expect((await postern('apikey revoke brief --yes')).code).toBe(0);
    expect(await active(key)).toBe(401);
    const again = await postern('apikey revoke brief --yes');
    expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('apikey list')]);
  });

  test.each([
    ['apikey create x --scope all', 2, '--scope is one of introspect'],
    ['apikey create x --scope introspect --expires soon', 2, 'or never'],
    ['apikey create x --scope introspect --expires 10s', 2, 'from 1m'],
    ['apikey create x', 1, 'at least one scope'],
    ['apikey create a/b --scope introspect', 1, 'name:'],
    ['apikey create billing --scope introspect', 1, 'Choose another name'],
    ['apikey create x --scope introspect --claim sub=1', 1, 'sub: sub is written by the service'],
    ['apikey create x --scope introspect --claim roles', 2, 'name=value'],
    ['apikey create x --scope introspect --claim a={', 2, 'is not JSON'],
  ])('%s', async (args, code, message) => {
    const run = await postern(args);
    expect([run.code, run.stdout, run.stderr]).toEqual([
      code,
      '',
      expect.stringContaining(message),
    ]);
  });
});

describe('postern user claims', () => {
  test('sets, removes and shows; tokens have them from the next one on', async () => {
    const { username } = await app.register();
    const set = await postern(`user claims ${username} --set roles=["admin"] --set tenant=t1`);
    expect([set.code, set.stdout]).toEqual([0, '{"roles":["admin"],"tenant":"t1"}\n']);
    const { body } = await app.login(username);
    expect(decodeJwt(body.access_token)).toMatchObject({ roles: ['admin'], tenant: 't1' });
    expect((await postern(`user claims ${username} --unset tenant`)).stdout).toBe(
      '{"roles":["admin"]}\n',
    );
    expect((await postern(`user claims ${username}`)).stdout).toBe('{"roles":["admin"]}\n');
  });

  test.each([
    ['iss="x"', 'iss is written by the service'],
    ['status={}', 'status is written by the service'],
    ['act={}', 'act is written by the service'],
    ['scope=all', 'scope is written by the service'],
    ['roles="admin"', 'roles: This has to be an array'],
    ['groups=[1]', 'groups: This has to be an array'],
    ['entitlements=["a","a"]', 'entitlements: This has to be an array'],
    [`roles=${JSON.stringify(Array.from({ length: 65 }, (_, i) => `r${i}`))}`, 'at most 64'],
    [`note="${'a'.repeat(2_048)}"`, 'at most 2048 bytes'],
    ['1a=1', 'begin with a letter'],
  ])('refuses %s', async (claim, message) => {
    const { username } = await app.register();
    const run = await postern(`user claims ${username} --set ${claim}`);
    expect([run.code, run.stderr]).toEqual([1, expect.stringContaining(message)]);
    expect((await postern(`user claims ${username}`)).stdout).toBe('{}\n');
  });

  test('of nobody', async () => {
    expect((await postern('user claims nobody')).code).toBe(1);
  });
});
