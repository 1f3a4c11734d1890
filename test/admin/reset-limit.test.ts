/** What a lost API key can send: limits.reset is a limit of its own, and each key has its own. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeKey } from '../support/api-key.ts';
import { createAdminRig } from './rig.ts';
import type { AdminRig } from './rig.ts';

let rig: AdminRig;
beforeAll(async () => {
  rig = await createAdminRig({ config: '[limits]\nreset = "2/1h"\n' });
});
afterAll(() => rig.stop());

test('A12: the third reset of a key is 429 rate_limited; nothing is sent, other keys and routes go on', async () => {
  const { body } = await rig.admin('POST', '/admin/users', { email: 'eve@example.com' });
  const path = `/admin/users/${body.id}/password-reset`;
  await rig.app.emails('eve@example.com');
  for (let n = 0; n < 2; n++) expect((await rig.admin('POST', path)).status).toBe(202);
  expect((await rig.app.emails('eve@example.com')).length).toBeGreaterThan(0);
  const refused = await rig.admin('POST', path);
  expect([refused.status, refused.body.code]).toEqual([429, 'rate_limited']);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(await rig.app.emails('eve@example.com')).toEqual([]);
  expect((await rig.admin('GET', `/admin/users/${body.id}`)).status).toBe(200);
  const other = await makeKey(rig.app, 'other', { scopes: ['admin'], lifetimeMs: null });
  const own = await rig.app.call('POST', path, { headers: { 'postern-key': other.text } });
  expect(own.status).toBe(202);
});
