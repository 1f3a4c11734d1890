/**
 * The document of administration: docs/openapi-admin.json is what keys of the scope are served, it
 * is valid, and says what each answer is. POSTERN_WRITE_EXAMPLES=1 writes it.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createAdminRig } from '../admin/rig.ts';
import type { AdminRig } from '../admin/rig.ts';
import { VERSION } from '../../src/cli/version.ts';

const FILE = new URL('../../docs/openapi-admin.json', import.meta.url);
const isWriting = process.env['POSTERN_WRITE_EXAMPLES'] === '1';

let rig: AdminRig;
beforeAll(async () => {
  rig = await createAdminRig();
});
afterAll(() => rig.stop());

/** As a service on its default address says it. */
async function served(): Promise<Record<string, unknown>> {
  const { body } = await rig.admin('GET', '/admin/openapi.json');
  return {
    ...body,
    info: { ...body.info, version: VERSION },
    servers: [{ url: 'http://127.0.0.1:7400' }],
  };
}

test('docs/openapi-admin.json is what keys of the scope admin are served', async () => {
  const document = await served();
  if (isWriting) writeFileSync(FILE, `${JSON.stringify(document, null, 1)}\n`);
  expect(document).toEqual(JSON.parse(readFileSync(FILE, 'utf8')));
});

test('it is valid, has every route, and nothing but administration', async () => {
  const { body } = await rig.admin('GET', '/admin/openapi.json');
  expect(await new Validator().validate(body)).toMatchObject({ valid: true });
  const operations = Object.entries(body.paths).flatMap(([path, item]) =>
    Object.keys(Object(item)).map((method) => `${method} ${path}`),
  );
  const routes = rig.app.routes
    .filter(({ path }) => path.startsWith('/admin/'))
    .map(({ method, path }) => `${method} ${path}`);
  expect(operations.sort()).toEqual([...routes].sort());
  expect(operations.length).toBeGreaterThan(12);
  expect(JSON.stringify(body)).not.toMatch(/"[a-z_]*password"\s*:/);
});

test('answers are as it says', async () => {
  const { body: document } = await rig.admin('GET', '/admin/openapi.json');
  const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
  ajv.addSchema({ $id: 'admin', components: document.components });
  const check = async (method: string, path: string, template: string, body?: unknown) => {
    const reply = await rig.admin(method, path, body);
    const response = document.paths[template][method.toLowerCase()].responses[reply.status];
    const type = reply.status < 400 ? 'application/json' : 'application/problem+json';
    const schema = response.content?.[type]?.schema;
    if (schema === undefined) return reply;
    const text = JSON.stringify(schema).replaceAll('"#/components', '"admin#/components');
    const validate = ajv.compile(JSON.parse(text));
    expect([method, template, validate(reply.body), validate.errors]).toEqual([
      method,
      template,
      true,
      null,
    ]);
    return reply;
  };
  const all = '/admin/users';
  const one = '/admin/users/{id}';
  const made = await check('POST', all, all, { username: 'ada', email: 'ada@example.com' });
  const path = `${all}/${made.body.id}`;
  await check('POST', all, all, { username: 'ada' });
  await check('GET', `${all}?search=a&limit=1`, all);
  await check('GET', `${all}?limit=x`, all);
  await check('GET', path, one);
  await check('PATCH', path, one, { display_name: 'Ada', claims: { roles: ['a'] } });
  await check('PATCH', path, one, { nothing: 1 });
  for (const act of ['unlock', 'logout', 'password-reset'])
    await check('POST', `${path}/${act}`, `${one}/${act}`);
  await check('GET', `${path}/sessions`, `${one}/sessions`);
  await check('GET', `${path}/emails`, `${one}/emails`);
  await check('DELETE', path, one);
  await check('GET', path, one);
  const keys = '/admin/keys';
  const key = await check('POST', keys, keys, { name: 'sync', scopes: ['events'] });
  await check('GET', keys, keys);
  await check('DELETE', `${keys}/${key.body.id}`, `${keys}/{id}`);
  await check('GET', '/admin/signing-keys', '/admin/signing-keys');
  const rotate = '/admin/signing-keys/rotate';
  await check('POST', rotate, rotate, {});
  await check('POST', rotate, rotate, {});
  await check('GET', '/admin/stats', '/admin/stats');
  await check('GET', '/admin/events?limit=2', '/admin/events');
  await check('GET', '/admin/events?cursor=x', '/admin/events');
});
