/** Importing users over HTTP: whole lines, told faults, and passwords that go on working. */
import Libsql from 'libsql';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { signIn } from '../passkey/story.ts';
import { create } from '../support/authenticator.ts';
import { PASSWORD } from '../support/app.ts';
import { codeAt } from '../support/mfa.ts';
import { linesOf } from '../admin/rig.ts';
import { createImportRig } from './rig.ts';
import type { ImportRig } from './rig.ts';

let rig: ImportRig;
beforeAll(async () => {
  rig = await createImportRig();
});
afterAll(() => rig.stop());

/** Of "correct horse battery staple", by pyca/bcrypt. */
const BCRYPT = '$2b$05$ybvjhCYwlJRLW5HjedKIyeCpW0KKoYaxInZXGmE5ADnmE5xgzSAPm';
/** Of "test". */
const MD5 = '$md5$CY9rzUYh03PK3k6DJie09g==';

function query(sql: string, ...params: string[]): unknown[] {
  const db = new Libsql(join(rig.app.directory, 'postern.db'));
  try {
    return db.prepare(sql).all(...params);
  } finally {
    db.close();
  }
}

const hashOf = (userId: string): string =>
  String(
    Object(query('SELECT password_hash AS h FROM password_credential WHERE user_id = ?', userId)[0])
      .h,
  );

describe('a line', () => {
  test('of every member makes a user like it, and again changes nothing', async () => {
    const line = {
      id: '0190b5a0-0000-7000-8000-000000000001',
      external_id: 'crm-1',
      username: 'ada',
      email: 'Ada@Example.com',
      pending_email: 'ada@new.example',
      phone: '+49 151 20000000',
      display_name: 'Ada',
      user_metadata: { locale: 'de' },
      claims: { roles: ['editor'] },
      password_change_required: false,
      created_at: '2020-02-29T12:00:00+02:00',
      updated_at: '2021-01-01T00:00:00Z',
      password_hash: BCRYPT,
    };
    const first = await rig.lines([line]);
    expect([first.status, first.body]).toEqual([
      200,
      { dry_run: false, lines: 1, created: 1, existing: 0, refused: 0, errors: [] },
    ]);
    expect((await rig.admin('GET', `/admin/users/${line.id}`)).body).toMatchObject({
      external_id: 'crm-1',
      username: 'ada',
      email: 'Ada@Example.com',
      email_verified: true,
      pending_email: 'ada@new.example',
      phone: '+4915120000000',
      phone_verified: true,
      display_name: 'Ada',
      user_metadata: { locale: 'de' },
      claims: { roles: ['editor'] },
      disabled: false,
      created_at: '2020-02-29T10:00:00.000Z',
      updated_at: '2021-01-01T00:00:00.000Z',
      obstacles: [],
    });
    for (const name of ['ada', 'ada@example.com', '+49 151 20000000'])
      expect((await rig.app.login(name)).status).toBe(200);
    const again = await rig.lines([
      { ...line, display_name: 'Other' },
      { external_id: 'crm-1', username: 'x' },
    ]);
    expect(again.body).toMatchObject({ created: 0, existing: 2, refused: 0 });
    expect((await rig.admin('GET', `/admin/users/${line.id}`)).body.display_name).toBe('Ada');
    expect(linesOf(rig.app, 'user.imported').at(0)).toMatchObject({
      count: 1,
      'api_key.id': rig.key.id,
    });
  });

  test('an address that nobody verified reserves nothing and opens nothing', async () => {
    const { body } = await rig.lines([
      {
        external_id: 'p-1',
        email: 'pending@example.com',
        email_verified: false,
        password_hash: BCRYPT,
      },
      { external_id: 'p-2', pending_email: 'pending@example.com' },
      { external_id: 'p-3', email: 'pending@example.com', password_hash: BCRYPT },
    ]);
    expect(body).toMatchObject({ created: 3, refused: 0 });
    const { users } = (await rig.admin('GET', '/admin/users?external_id=p-1')).body;
    expect(users[0]).toMatchObject({ email_verified: false, pending_email: 'pending@example.com' });
    const signedIn = await rig.app.login('pending@example.com');
    const me = await rig.app.call('GET', '/me', { token: signedIn.body.access_token });
    const owner = (await rig.admin('GET', '/admin/users?external_id=p-3')).body.users[0];
    expect(me.body.id).toBe(owner.id);
  });

  test('a disabled user stays out, and one who must change the password is asked to', async () => {
    await rig.lines([
      { external_id: 'd-1', username: 'disa', disabled: true, password_hash: BCRYPT },
      {
        external_id: 'd-2',
        username: 'chad',
        password_change_required: true,
        password_hash: BCRYPT,
      },
      { external_id: 'd-3', username: 'nopw' },
    ]);
    expect((await rig.app.login('disa')).body.code).toBe('account_disabled');
    expect((await rig.app.login('chad')).body.code).toBe('password_change_required');
    expect((await rig.app.login('nopw')).status).toBe(401);
  });

  test.each([
    ['not json', '', 'malformed_line'],
    ['[1]', '', 'wrong_type'],
    ['{"external_id":"x","external_id":"y","username":"dup"}', '/external_id', 'malformed_line'],
    [`{"external_id":"x","username":"${'x'.repeat(66_000)}"}`, '', 'malformed_line'],
    [{ external_id: 'f-1', username: 'fay', passwort: 'x' }, '/passwort', 'unknown_member'],
    [{ external_id: 'f-1', username: 'fay', password: 'in clear' }, '/password', 'unknown_member'],
    [{ external_id: 'f-1' }, '/email', 'required'],
    [{ username: 'fay' }, '/external_id', 'required'],
    [{ external_id: 'f-1', username: 'a b' }, '/username', 'invalid_username'],
    [{ external_id: 'f-1', email: 'no address' }, '/email', 'invalid_email'],
    [{ external_id: 'f-1', pending_email: 'nobody' }, '/pending_email', 'invalid_email'],
    [{ external_id: 'f-1', phone: '0151 2000000' }, '/phone', 'invalid_phone'],
    [
      {
        external_id: 'f-1',
        email: 'a@example.com',
        email_verified: false,
        pending_email: 'b@example.com',
      },
      '/pending_email',
      'invalid',
    ],
    [{ external_id: 'f-1', id: '7', username: 'fay' }, '/id', 'invalid'],
    [{ external_id: 'f-1', username: 'fay', created_at: 'yesterday' }, '/created_at', 'invalid'],
    [
      { external_id: 'f-1', username: 'fay', claims: { sub: 'x' } },
      '/claims/sub',
      'registered_claim',
    ],
    [
      { external_id: 'f-1', username: 'fay', display_name: 'a\u0007' },
      '/display_name',
      'forbidden_characters',
    ],
    [
      { external_id: 'f-1', username: 'fay', password_hash: 'secret' },
      '/password_hash',
      'hash_malformed',
    ],
    [
      { external_id: 'f-1', username: 'fay', password_hash: `$2b$15$${'.'.repeat(53)}` },
      '/password_hash',
      'hash_cost',
    ],
    [
      {
        external_id: 'f-1',
        username: 'fay',
        password_hash:
          '$argon2id$v=19$m=256,t=2,p=1,keyid=AAAAAAAAAAA$c29tZXNhbHRzb21l$CTFhFdXPJO1aFaMaWje8Mu9c7eQnAymHwCtlZvkWE5c',
      },
      '/password_hash',
      'hash_pepper',
    ],
    [{ external_id: 'f-1', username: 'fay', totp_secret: 'SHORT' }, '/totp_secret', 'invalid'],
    [
      { external_id: 'f-1', username: 'fay', passkeys: [{ credential_id: 'AA' }] },
      '/passkeys/0/public_key',
      'required',
    ],
    [{ external_id: 'f-1', username: 'ADA' }, '/username', 'taken'],
    [{ external_id: 'f-1', email: 'ada@example.com' }, '/email', 'taken'],
    [
      { id: '0190b5a0-0000-7000-8000-000000000002', external_id: 'crm-1', username: 'fay' },
      '/external_id',
      'taken',
    ],
    [
      { id: '0190b5a0-0000-7000-8000-000000000001', external_id: 'crm-2', username: 'fay' },
      '/id',
      'taken',
    ],
  ])('A11: one that is refused is named, with what to write: %j', async (line, pointer, code) => {
    const good = {
      external_id: `beside-${code}-${pointer}`,
      username: `b${Math.abs(hash(pointer + code))}`,
    };
    const { status, body } = await rig.lines(['', line, good]);
    expect([status, body.lines, body.refused]).toEqual([200, 2, 1]);
    const [refused] = body.errors;
    expect(refused.line).toBe(2);
    expect(refused.errors.map((one: { pointer: string }) => one.pointer)).toContain(pointer);
    expect(refused.errors.map((one: { code: string }) => one.code)).toContain(code);
    expect(JSON.stringify(body)).not.toMatch(/in clear|"secret"|\$2b\$15/);
    expect((await rig.admin('GET', '/admin/users?external_id=f-1')).body.users).toEqual([]);
  });

  test('A11: twice in one file makes one user', async () => {
    const line = { external_id: 'twice', username: 'twice' };
    const { body } = await rig.lines([line, line, { external_id: 'twice-2', username: 'TWICE' }]);
    expect(body).toMatchObject({ created: 1, existing: 1, refused: 1 });
    expect(body.errors).toEqual([
      { line: 3, errors: [expect.objectContaining({ code: 'taken' })] },
    ]);
  });

  test('in parallel imports makes one user', async () => {
    const lines = Array.from({ length: 60 }, (_, n) => ({
      external_id: `par-${n}`,
      username: `par-${n}`,
    }));
    const replies = await Promise.all([1, 2, 3].map(() => rig.lines(lines)));
    const created = replies.reduce((sum, { body }) => sum + body.created, 0);
    expect([created, ...replies.map(({ body }) => body.refused)]).toEqual([60, 0, 0, 0]);
  });
});

const hash = (text: string): number =>
  [...text].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) | 0, 7);

describe('a dry run', () => {
  test('says what an import would, and changes nothing', async () => {
    const lines = [
      { external_id: 'dry-1', username: 'dry', password_hash: MD5 },
      { external_id: 'dry-1', username: 'dry', password_hash: MD5 },
      { external_id: 'dry-2', username: 'Dry' },
      { external_id: 'dry-3', username: 'ada' },
      { external_id: 'dry-4', username: 'dry4', password_hash: 'none' },
    ];
    const dry = await rig.lines(lines, '?dry_run=true');
    expect(dry.body).toMatchObject({
      dry_run: true,
      lines: 5,
      created: 1,
      existing: 1,
      refused: 3,
    });
    expect((await rig.admin('GET', '/admin/users?username=dry')).body.users).toEqual([]);
    const real = await rig.lines(lines);
    expect(real.body).toEqual({ ...dry.body, dry_run: false });
  });
});

describe('a password', () => {
  test('P08: a slow hash is kept until its user signs in, and one of parallel sign-ins replaces it', async () => {
    await rig.lines([{ external_id: 'slow', username: 'slow', password_hash: BCRYPT }]);
    const { id } = (await rig.admin('GET', '/admin/users?username=slow')).body.users[0];
    expect(hashOf(id)).toBe(BCRYPT);
    expect((await rig.app.login('slow', 'something else')).status).toBe(401);
    expect(hashOf(id)).toBe(BCRYPT);
    const replies = await Promise.all([1, 2, 3].map(() => rig.app.login('slow')));
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 200]);
    const own = hashOf(id);
    expect(own).toMatch(/^\$argon2id\$v=19\$m=8,t=1,p=1\$/);
    expect((await rig.app.login('slow')).status).toBe(200);
    expect(hashOf(id)).toBe(own);
  });

  test('a fast hash is wrapped at once; the first sign-in unwraps it', async () => {
    await rig.lines([{ external_id: 'fast', username: 'fast', password_hash: MD5 }]);
    const { id } = (await rig.admin('GET', '/admin/users?username=fast')).body.users[0];
    expect(hashOf(id)).toMatch(/^\$over\$digest-md5\$\.\$argon2id\$/);
    const file = query('SELECT password_hash AS h FROM password_credential').map(
      (row) => Object(row).h,
    );
    expect(file.join('\n')).not.toContain('CY9rzUYh03PK3k6DJie09g');
    expect((await rig.app.login('fast', 'test1')).status).toBe(401);
    expect((await rig.app.login('fast', 'test')).status).toBe(200);
    expect(hashOf(id)).toMatch(/^\$argon2id\$/);
    expect((await rig.app.login('fast', 'test')).status).toBe(200);
  });

  test('wraps go on while the hash lanes are busy with others, and none is lost', async () => {
    const lines = Array.from({ length: 120 }, (_, n) => ({
      external_id: `many-${n}`,
      username: `many-${n}`,
      password_hash: MD5,
    }));
    const { body } = await rig.lines(lines);
    expect(body).toMatchObject({ created: 120, refused: 0 });
    expect((await rig.app.login('many-119', 'test')).status).toBe(200);
  });
});

describe('second factors', () => {
  test('a seed is sealed, and its codes are asked for', async () => {
    const seed = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP';
    await rig.lines([
      { external_id: 'mfa', username: 'mfa', password_hash: BCRYPT, totp_secret: seed },
    ]);
    const rows = query('SELECT secret_sealed AS s FROM totp').map((row) => String(Object(row).s));
    expect(rows).toEqual([expect.stringMatching(/^v1\./)]);
    const asked = await rig.app.login('mfa');
    expect(asked.body).toMatchObject({ status: 'mfa_required', factors: ['totp'] });
    const totp = codeAt(seed, rig.app.clock.now());
    expect((await rig.app.login('mfa', PASSWORD, { totp })).body.status).toBe('authenticated');
    expect((await rig.app.login('mfa', PASSWORD, { totp })).status).toBe(401);
  });

  test('a passkey signs in by the handle that the other system gave, and by no other', async () => {
    const old = Buffer.from('old-user-7').toString('base64url');
    const { made } = create({ challenge: 'AAAA', user: { id: old } });
    const { body } = await rig.lines([
      {
        external_id: 'pk-0',
        username: 'pk0',
        passkeys: [
          {
            credential_id: made.id,
            public_key: Buffer.from(made.cose).toString('base64url'),
            user_handle: old,
            backup_eligible: false,
            backed_up: false,
          },
        ],
      },
    ]);
    expect(body).toMatchObject({ created: 1, refused: 0 });
    const { id } = (await rig.admin('GET', '/admin/users?username=pk0')).body.users[0];
    const own = Buffer.from(id.replaceAll('-', ''), 'hex').toString('base64url');
    expect((await signIn(rig.app, made, { userHandle: own })).status).toBe(401);
    const signedIn = await signIn(rig.app, made);
    expect(signedIn.body.status).toBe('authenticated');
    const me = await rig.app.call('GET', '/me', { token: signedIn.body.access_token });
    expect(me.body.id).toBe(id);
  });

  test('a passkey that another account has is refused with its line', async () => {
    const passkey = {
      credential_id: 'AAECAwQFBgc',
      public_key:
        'pQECAyYgASFYIGsX0fLhLEJH-Lzm5WOkQPJ3A32BLeszoPShOUXYmMKWIlggT-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU',
      user_handle: 'b2xkLXVzZXItNw',
      transports: ['internal'],
      backup_eligible: true,
      backed_up: true,
    };
    const { body } = await rig.lines([
      { external_id: 'pk-1', username: 'pk1', passkeys: [passkey] },
      { external_id: 'pk-2', username: 'pk2', passkeys: [passkey] },
      { external_id: 'pk-3', username: 'pk3', passkeys: [{ ...passkey, public_key: 'AAAA' }] },
    ]);
    expect(body).toMatchObject({ created: 1, refused: 2 });
    expect(
      body.errors.map((one: { errors: { pointer: string }[] }) => one.errors[0]?.pointer),
    ).toEqual(expect.arrayContaining(['/passkeys', '/passkeys/0/public_key']));
    expect((await rig.admin('GET', '/admin/users?username=pk2')).body.users).toEqual([]);
  });
});

describe('the door', () => {
  test('needs the scope admin, and lines', async () => {
    const send = (headers: Record<string, string>, path = '/admin/users/import') =>
      rig.app.call('POST', path, { raw: '{}\n', headers });
    expect((await send({ 'content-type': 'application/x-ndjson' })).status).toBe(401);
    const key = { 'postern-key': rig.key.text };
    expect((await send({ ...key, 'content-type': 'application/json' })).status).toBe(415);
    const zipped = { ...key, 'content-type': 'application/x-ndjson', 'content-encoding': 'gzip' };
    expect((await send(zipped)).status).toBe(415);
    const odd = { ...key, 'content-type': 'application/x-ndjson' };
    expect((await send(odd, '/admin/users/import?dry_run=yes')).status).toBe(422);
    expect((await rig.lines([])).body).toMatchObject({ lines: 0, created: 0 });
  });

  test('takes more than any other body, read as it arrives', async () => {
    const lines = Array.from({ length: 700 }, (_, n) => ({
      external_id: `bulk-${n}`,
      username: `bulk-${n}`,
      user_metadata: { note: 'x'.repeat(300) },
    }));
    const { status, body } = await rig.lines(lines);
    expect([status, body.created]).toEqual([200, 700]);
  });
});
