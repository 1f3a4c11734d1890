/**
 * The old system, asked once: who comes over, what it is told and when, and that its answers and its
 * silence open nothing (A13).
 */
import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { linesOf } from '../admin/rig.ts';
import { createImportRig } from '../import/rig.ts';
import type { ImportRig } from '../import/rig.ts';
import { createTestApp } from '../support/app.ts';
import type { Reply } from '../support/app.ts';

const SECRET = 'sixteen bytes are enough';
const OLD = 'an old password of theirs';

interface Asked {
  readonly username: string;
  readonly password: string;
}

let asked: { readonly body: Asked; readonly signature: string; readonly text: string }[] = [];
let answer: (asked: Asked, response: ServerResponse) => void;

/** Users of the old system. */
const users: Record<string, object> = {
  ada: {
    external_id: 'old-1',
    display_name: 'Ada',
    email: 'ada@example.com',
    email_verified: true,
  },
  'eve@example.com': { email: 'eve@example.com', email_verified: true },
  'mal@example.com': { email: 'mal@example.com' },
  empty: {},
};
const usual: typeof answer = ({ username, password }, response) => {
  const user = password === OLD ? users[username] : undefined;
  if (user === undefined) response.writeHead(401).end();
  else response.writeHead(200).end(JSON.stringify(user));
};

async function readAll(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}

const server = createServer((request, response) => {
  void readAll(request).then((text) => {
    const body: Asked = JSON.parse(text);
    asked.push({ body, text, signature: String(request.headers['postern-signature']) });
    answer(body, response);
  });
});

let rig: ImportRig;
let url: string;
const config = (until: string) =>
  `[password]\nlegacy_url = "${url}"\nlegacy_secret = "${SECRET}"\nlegacy_until = "${until}"\n`;

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  url = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/`;
  rig = await createImportRig({ config: config('2031-06-30') });
});
afterAll(async () => {
  await rig.stop();
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  asked = [];
  answer = usual;
});

const outcome = ({ status, body }: Reply) => [status, body.code ?? body.status];

describe('a name without a password here', () => {
  test('and the right one there: the account is made, the question is signed, and asked once', async () => {
    const first = await rig.app.login('ada', OLD);
    expect(outcome(first)).toEqual([200, 'authenticated']);
    const [{ text = '', signature = '', body } = {}] = asked;
    expect(body).toEqual({ username: 'ada', password: OLD });
    const seconds = Math.floor(rig.app.clock.now() / 1000);
    const mac = createHmac('sha256', SECRET).update(`${seconds}.${text}`).digest('hex');
    expect(signature).toBe(`t=${seconds},v1=${mac}`);
    const me = await rig.app.call('GET', '/me', { token: first.body.access_token });
    expect(me.body).toMatchObject({
      username: 'ada',
      email: 'ada@example.com',
      email_verified: true,
    });
    const [user] = (await rig.admin('GET', '/admin/users?external_id=old-1')).body.users;
    expect(user).toMatchObject({ id: me.body.id, display_name: 'Ada' });
    for (const name of ['ada', 'ada@example.com'])
      expect(outcome(await rig.app.login(name, OLD))).toEqual([200, 'authenticated']);
    expect(outcome(await rig.app.login('ada', `${OLD}x`))).toEqual([401, 'invalid_credentials']);
    expect(asked).toHaveLength(1);
    expect(linesOf(rig.app, 'user.migrated')).toEqual([
      expect.objectContaining({ 'user.id': me.body.id }),
    ]);
  });

  test('and a wrong one, or none there: the answer of every wrong pair', async () => {
    const shape = ({ status, body: { request_id: _, ...rest } }: Reply) => ({ status, ...rest });
    const known = shape(await rig.app.login('ada', 'wrong horse battery staple'));
    expect(shape(await rig.app.login('eve@example.com', 'not hers at all, no'))).toEqual(known);
    expect(shape(await rig.app.login('nobody-anywhere', OLD))).toEqual(known);
    expect(asked.map(({ body }) => body.username)).toEqual(['eve@example.com', 'nobody-anywhere']);
  });

  test('an imported account without a password gets it; a disabled one stays out', async () => {
    await rig.lines([
      { external_id: 'imp-1', username: 'imported' },
      { external_id: 'imp-2', username: 'stopped', disabled: true },
    ]);
    users['imported'] = { external_id: 'other', email: 'x@example.com', email_verified: true };
    users['stopped'] = {};
    const signedIn = await rig.app.login('imported', OLD);
    expect(outcome(signedIn)).toEqual([200, 'authenticated']);
    const [user] = (await rig.admin('GET', '/admin/users?username=imported')).body.users;
    expect(user).toMatchObject({ external_id: 'imp-1', email: null });
    expect(outcome(await rig.app.login('stopped', OLD))).toEqual([403, 'account_disabled']);
  });

  test('of parallel first sign-ins one makes the account, and all sign in', async () => {
    users['crowd'] = { external_id: 'crowd' };
    const replies = await Promise.all([1, 2, 3, 4].map(() => rig.app.login('crowd', OLD)));
    expect(replies.map(outcome)).toEqual(Array(4).fill([200, 'authenticated']));
    expect((await rig.admin('GET', '/admin/users?external_id=crowd')).body.users).toHaveLength(1);
  });

  test('an address signs in only if the old system says that it is verified', async () => {
    expect(outcome(await rig.app.login('eve@example.com', OLD))).toEqual([200, 'authenticated']);
    expect(outcome(await rig.app.login('mal@example.com', OLD))).toEqual([
      503,
      'provider_unavailable',
    ]);
    expect((await rig.admin('GET', '/admin/users?email=mal@example.com')).body.users).toEqual([]);
  });

  test('the second factor and the rest of a sign-in are as for others', async () => {
    await rig.lines([
      { external_id: 'mfa', username: 'mfa', totp_secret: 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP' },
    ]);
    users['mfa'] = {};
    expect(outcome(await rig.app.login('mfa', OLD))).toEqual([200, 'mfa_required']);
  });
});

describe('A13: what is never asked', () => {
  test('an account that somebody can sign in to: neither with a wrong password nor without one', async () => {
    await rig.app.register('here');
    expect((await rig.app.login('here', OLD)).status).toBe(401);
    await rig.lines([
      {
        external_id: 'pk',
        username: 'with-passkey',
        passkeys: [
          {
            credential_id: 'AAECAwQFBgc',
            public_key:
              'pQECAyYgASFYIGsX0fLhLEJH-Lzm5WOkQPJ3A32BLeszoPShOUXYmMKWIlggT-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU',
            backup_eligible: false,
            backed_up: false,
          },
        ],
      },
    ]);
    users['with-passkey'] = {};
    expect((await rig.app.login('with-passkey', OLD)).status).toBe(401);
    expect(asked).toEqual([]);
  });

  test('a text that is no password; more than the limit of attempts', async () => {
    expect((await rig.app.login('nobody', 'with\u0007bell')).status).toBe(401);
    expect(asked).toEqual([]);
    const replies: Reply[] = [];
    for (let n = 0; n < 14; n++) replies.push(await rig.app.login('guessed', `guess number ${n}`));
    expect(replies.at(-1)?.status).toBe(429);
    expect(asked.length).toBeLessThanOrEqual(11);
  });

  test('anybody, once the last day is over', async () => {
    const over = await createTestApp({ config: config('2031-05-19') });
    expect((await over.login('ada', OLD)).status).toBe(401);
    const last = await createTestApp({ config: config('2031-05-20') });
    expect((await last.login('ada', OLD)).status).toBe(200);
    last.clock.advance(12 * 3_600_000);
    expect((await last.login('empty', OLD)).status).toBe(401);
    await over.stop();
    await last.stop();
    expect(asked).toHaveLength(1);
  });
});

describe('A13: an old system that fails', () => {
  test.each<[string, typeof answer]>([
    ['an error', (_, response) => response.writeHead(500).end()],
    ['a limit of its own', (_, response) => response.writeHead(429).end()],
    ['a redirect', (_, response) => response.writeHead(307, { location: url }).end()],
    ['no JSON', (_, response) => response.writeHead(200).end('<html>')],
    ['a list', (_, response) => response.writeHead(200).end('[]')],
    [
      'too much',
      (_, response) => response.writeHead(200).end(JSON.stringify({ x: 'y'.repeat(20_000) })),
    ],
    ['another name', (_, response) => response.writeHead(200).end('{"username":"somebody-else"}')],
    [
      'a name that nobody can have',
      (_, response) => response.writeHead(200).end('{"username":"a b"}'),
    ],
    ['a cut connection', (_, response) => response.destroy()],
    ['silence', () => undefined],
  ])('%s is 503, never 401, makes nothing, and is asked once', async (what, reply) => {
    answer = reply;
    const name = `down-${what.replaceAll(' ', '-')}`;
    const refused = await rig.app.login(name, OLD);
    expect(outcome(refused)).toEqual([503, 'provider_unavailable']);
    expect(refused.headers.get('retry-after')).toBe('5');
    expect(asked).toHaveLength(1);
    expect((await rig.admin('GET', `/admin/users?username=${name}`)).body.users).toEqual([]);
    expect(JSON.stringify(rig.app.log)).not.toContain(OLD);
  });

  test('the attempt is counted all the same: its silence is no free guess', async () => {
    answer = (_, response) => response.writeHead(500).end();
    const replies: Reply[] = [];
    for (let n = 0; n < 14; n++) replies.push(await rig.app.login('counted', `guess number ${n}`));
    expect(replies[0]?.status).toBe(503);
    expect(replies.at(-1)?.status).toBe(429);
  });

  test('a name, an address or an external_id that somebody else has here takes nothing over', async () => {
    await rig.lines([{ external_id: 'mine', username: 'owner', email: 'owner@example.com' }]);
    users['thief'] = { username: 'thief', external_id: 'mine' };
    users['thief2'] = { email: 'owner@example.com', email_verified: true };
    for (const name of ['thief', 'thief2'])
      expect(outcome(await rig.app.login(name, OLD))).toEqual([503, 'provider_unavailable']);
    const [owner] = (await rig.admin('GET', '/admin/users?external_id=mine')).body.users;
    expect(owner).toMatchObject({ username: 'owner' });
    expect(
      (await rig.admin('GET', `/admin/users/${owner.id}`)).body.password_changed_at,
    ).toBeNull();
  });

  test('accounts that are here sign in as ever', async () => {
    await rig.app.register('independent');
    answer = () => undefined;
    expect((await rig.app.login('independent')).status).toBe(200);
  });
});
