/** What `postern export` writes goes into an empty service, and comes out the same. */
import { afterAll, expect, test } from 'vitest';
import { exportUsers } from '../../src/features/admin/export-users.ts';
import type { TestApp } from '../support/app.ts';
import { PASSWORD } from '../support/app.ts';
import { codeAt } from '../support/mfa.ts';
import { createImportRig } from './rig.ts';
import type { ImportRig } from './rig.ts';

const rigs: ImportRig[] = [];
afterAll(async () => {
  for (const rig of rigs) await rig.stop();
});

async function exported({ db, kernel }: TestApp): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of exportUsers(db, kernel.factors.portables)) lines.push(line.trim());
  return lines;
}

test('export --with-hashes, import, export: the same lines; passwords and second factors work', async () => {
  const from = await createImportRig();
  const to = await createImportRig();
  rigs.push(from, to);
  const ada = await from.app.register('ada');
  const { secret } = (await from.app.call('POST', '/me/totp', { token: ada.access })).body;
  await from.app.call('POST', '/me/totp/confirm', {
    token: ada.access,
    body: { code: codeAt(secret, from.app.clock.now()) },
  });
  const bob = await from.app.register('bob');
  await from.admin('PATCH', `/admin/users/${bob.userId}`, {
    email: 'bob@example.com',
    email_verified: true,
    external_id: 'crm-7',
    claims: { roles: ['a'] },
    disabled: true,
  });
  await from.app.call('PATCH', '/me', { token: ada.access, body: { email: 'ada@example.com' } });
  await from.lines([
    { external_id: 'md5', username: 'wrapped', password_hash: '$md5$CY9rzUYh03PK3k6DJie09g==' },
    {
      external_id: 'pk',
      username: 'passkey',
      passkeys: [
        {
          credential_id: 'AAECAwQFBgc',
          public_key:
            'pQECAyYgASFYIGsX0fLhLEJH-Lzm5WOkQPJ3A32BLeszoPShOUXYmMKWIlggT-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU',
          user_handle: 'b2xkLXVzZXItNw',
          backup_eligible: false,
          backed_up: false,
        },
      ],
    },
  ]);
  const lines = await exported(from.app);
  expect(lines).toHaveLength(4);
  expect(lines.join('\n')).toContain(secret);
  const { body } = await to.lines(lines);
  expect(body).toMatchObject({ created: 4, refused: 0, errors: [] });
  expect(await exported(to.app)).toEqual(lines);
  to.app.clock.advance(60_000);
  const totp = codeAt(secret, to.app.clock.now());
  expect((await to.app.login('ada', PASSWORD, { totp })).body.status).toBe('authenticated');
  expect((await to.app.login('bob')).body.code).toBe('account_disabled');
  expect((await to.app.login('wrapped', 'test')).status).toBe(200);
  expect((await to.lines(lines)).body).toMatchObject({ created: 0, existing: 4 });
});

test('without hashes no secret is in it, and users come in without a password', async () => {
  const from = await createImportRig();
  const to = await createImportRig();
  rigs.push(from, to);
  await from.app.register('ada');
  const lines: string[] = [];
  for await (const line of exportUsers(from.app.db, null)) lines.push(line.trim());
  expect(lines.join('\n')).not.toMatch(/hash|argon2|secret|passkeys/);
  expect((await to.lines(lines)).body).toMatchObject({ created: 1, refused: 0 });
  expect((await to.app.login('ada')).status).toBe(401);
});
