/**
 * Small rules of the security requirements that belong to no one feature, each under its number.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { PASSWORD, createTestApp, operator, tidy } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';
import { readModules } from './source.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const sources = readdirSync(join(ROOT, 'src'), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && /\.(ts|mjs)$/.test(entry.name))
  .map((entry) => join(entry.parentPath, entry.name))
  .map((path) => ({
    path: path.slice(join(ROOT, 'src/').length),
    text: readFileSync(path, 'utf8'),
  }));

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp();
});
afterAll(() => app.stop());

const count = async (own: TestApp, table: string): Promise<unknown> =>
  (
    await own.db.read({
      sql: `SELECT count(*) FROM "${table}"`,
      params: [],
      map: (r) => r.map((c) => c[0]),
      returns: true,
    })
  )[0];

async function provedUser(address: string): Promise<string> {
  const { body } = await app.call('POST', '/register', {
    body: { email: address, password: PASSWORD },
  });
  const made = await app.call('POST', '/register/verify', {
    body: {
      registration_id: body.registration_id,
      code: (await app.emails(address))[0]?.values['code'],
    },
  });
  return made.body.access_token;
}

describe('accounts', () => {
  test('ASVS 6.3.2, 13.2.3: a new service has no account and no key that somebody could know', async () => {
    const own = await createTestApp();
    expect(await count(own, 'user')).toBe(0);
    for (const name of ['admin', 'root', 'postern', 'test'])
      expect((await own.login(name, name)).status).toBe(401);
    const other = await createTestApp();
    const kids = await Promise.all(
      [own, other].map(
        async (each) => (await each.call('GET', '/.well-known/jwks.json')).body.keys[0].kid,
      ),
    );
    expect(kids[0]).not.toBe(kids[1]);
    await own.stop();
    await other.stop();
  });

  test('ASVS 6.4.2: no field holds a hint or a secret question', async () => {
    const { body } = await app.call('GET', '/openapi.json');
    expect(JSON.stringify(body)).not.toMatch(
      /"[a-z_]*(?:(?<!token_type_)hint|secret_question|security_question|mother)[a-z_]*":/,
    );
  });

  test('ASVS 6.3.7: a changed password is notified to the verified address', async () => {
    const access = await provedUser('told@example.com');
    expect(
      (
        await app.call('POST', '/me/password', {
          token: access,
          body: { current_password: PASSWORD, new_password: 'an entirely other passphrase' },
        })
      ).status,
    ).toBe(204);
    expect((await app.emails('told@example.com')).map(({ template }) => template)).toEqual([
      'password_changed',
    ]);
  });

  test('ASVS 7.5.1, 7.5.3, 10.3.4: an address and an account are changed by who authenticated lately alone', async () => {
    const user = await app.register();
    app.clock.advance(6 * 60_000);
    const { body } = await app.call('POST', '/refresh', { body: { refresh_token: user.refresh } });
    for (const [method, given] of [
      ['PATCH', { email: 'stale@example.com' }],
      ['DELETE', undefined],
    ] as const) {
      const reply = await app.call(method, '/me', {
        token: body.access_token,
        ...(given === undefined ? {} : { body: given }),
      });
      expect([method, reply.status, reply.body.code]).toEqual([
        method,
        401,
        'insufficient_user_authentication',
      ]);
      expect(reply.headers.get('www-authenticate')).toContain('insufficient_user_authentication');
    }
    expect((await app.call('GET', '/me', { token: body.access_token })).status).toBe(200);
  });

  test('ASVS 7.4.2, 8.3.2: disabling and deleting end every session at once', async () => {
    const disabled = await app.register();
    await app.kernel.accountState.disable(operator, disabled.userId);
    const deleted = await app.register();
    await app.call('DELETE', '/me', { token: deleted.access });
    for (const user of [disabled, deleted]) {
      expect((await app.call('GET', '/me', { token: user.access })).status).toBe(401);
      expect([401, 403]).toContain(
        (await app.call('POST', '/refresh', { body: { refresh_token: user.refresh } })).status,
      );
      expect((await app.login(user.username)).status).not.toBe(200);
    }
  });

  test('ASVS 14.2.6, 15.3.1: GET /me answers these members and no others', async () => {
    const { access } = await app.register();
    const { body } = await app.call('GET', '/me', { token: access });
    expect(Object.keys(body).sort()).toEqual([
      'anonymous',
      'created_at',
      'display_name',
      'email',
      'email_verified',
      'id',
      'mfa_enabled',
      'pending_email',
      'phone',
      'phone_verified',
      'updated_at',
      'user_metadata',
      'username',
    ]);
  });

  test('ASVS 14.2.7: rows that nothing can read any more are removed', async () => {
    const own = await createTestApp();
    await own.call('POST', '/register', {
      body: { email: 'gone@example.com', password: PASSWORD },
    });
    await own.call('POST', '/password/forgot', { body: { username: 'nobody' } });
    const user = await own.register();
    await own.call('POST', '/logout', { body: { refresh_token: user.refresh } });
    await own.emails('gone@example.com');
    own.clock.advance(40 * 86_400_000);
    await tidy(own);
    expect([
      await count(own, 'one_time'),
      await count(own, 'outbox'),
      await count(own, 'session'),
      await count(own, 'revocation'),
      await count(own, 'attempt'),
    ]).toEqual([0, 0, 0, 0, 0]);
    expect(await count(own, 'user')).toBe(1);
    await own.stop();
  });
});

describe('methods', () => {
  test('ASVS 3.5.3, 7.6.2: no GET changes anything or starts a session', async () => {
    const { access } = await app.register();
    const write = vi.spyOn(app.db, 'write');
    for (const { method, path } of app.routes) {
      if (method !== 'get') continue;
      const { body } = await app.call('GET', path.replace(/\{[^}]+\}/g, 'x'), { token: access });
      expect(body).not.toHaveProperty('access_token');
    }
    // Whether the database can be written is what /readyz asks it.
    const written = write.mock.calls.flatMap(([statements]) => statements.map(({ sql }) => sql));
    write.mockRestore();
    expect(
      written.filter((sql) =>
        /"?(?:user|session|one_time|outbox|password_credential)"?\s/.test(sql),
      ),
    ).toEqual([]);
  });

  test('ASVS 3.5.6, 4.1.2: no answer is a script, and none leads to https', async () => {
    for (const path of [
      '/healthz?callback=x',
      '/.well-known/jwks.json?callback=x',
      '/me?jsonp=x',
    ]) {
      const { status, headers, body } = await app.call('GET', path, {
        headers: { 'x-forwarded-proto': 'http' },
      });
      expect(status < 300 || status >= 400).toBe(true);
      expect(headers.get('content-type')).toMatch(/json/);
      expect(JSON.stringify(body)).not.toMatch(/^"x\(/);
    }
  });

  test('ASVS 10.4.4: the metadata offer the grants that services need, and none with a browser or a password', async () => {
    const { body } = await app.call('GET', '/.well-known/oauth-authorization-server');
    expect([body.grant_types_supported, body.response_types_supported]).toEqual([
      ['client_credentials', 'urn:ietf:params:oauth:grant-type:token-exchange'],
      ['none'],
    ]);
    expect(body.authorization_endpoint).toBeUndefined();
  });
});

describe('cryptography in the source', () => {
  test('ASVS 11.1.3, 11.2.1: who uses node:crypto, and what of it; nothing else computes', () => {
    const used = readModules().flatMap(({ path, imports }) =>
      imports
        .filter(({ target, isType }) => !isType && /^(?:node:)?crypto$/.test(target))
        .flatMap(({ names }) => names.map((name) => `${name} ${path.split('/')[0]}`)),
    );
    expect([...new Set(used)].sort()).toEqual([
      'X509Certificate crypto',
      'constants crypto',
      'createCipheriv crypto',
      'createDecipheriv crypto',
      'createHash core',
      'createHash crypto',
      'createHash features',
      'createHash http',
      'createHmac core',
      'createHmac crypto',
      'createPrivateKey crypto',
      'createPublicKey crypto',
      'createSecretKey core',
      'createSecretKey crypto',
      'hash core',
      'hash crypto',
      'hkdfSync core',
      'hkdfSync crypto',
      'pbkdf2Sync crypto',
      'privateDecrypt crypto',
      'publicEncrypt crypto',
      'randomBytes crypto',
      'randomFillSync crypto',
      'scryptSync crypto',
      'sign crypto',
      'timingSafeEqual crypto',
      'verify crypto',
    ]);
    expect(
      sources.filter(({ text }) => /import (?:\* as )?\w+ from '(?:node:)?crypto'/.test(text)),
    ).toEqual([]);
  });

  test('ASVS 11.3.1, 11.3.2, 11.4.1: AES-256-GCM alone seals; SHA-1 is the format of a list of breached passwords, and nothing is MD5', () => {
    const ciphers = sources.flatMap(({ text }) =>
      [...text.matchAll(/create(?:De)?[cC]ipheriv\((['"][^'"]+['"]|\w+)/g)].map(([, name]) => name),
    );
    // Firebase's hashes of passwords end in a stream of AES, which hides nothing of ours.
    expect([...new Set(ciphers)].sort()).toEqual([`'aes-256-ctr'`, `'aes-256-gcm'`]);
    expect(
      sources.filter(({ text }) => text.includes('aes-256-ctr')).map(({ path }) => path),
    ).toEqual(['crypto/foreign-lane.mjs']);
    const weak = sources
      .filter(({ text }) =>
        /['"](?:md5|sha1|sha-1|rc4|des|aes-\d+-(?:ecb|cbc))['"]|publicEncrypt|privateDecrypt|RSA1_5/i.test(
          text,
        ),
      )
      .map(({ path }) => path);
    // RFC 6238's HMAC-SHA-1 is what every authenticator app has (ASVS 11.4.1 names it as the
    // exception).
    expect(weak.sort()).toEqual([
      'core/password/breached.ts',
      'crypto/recovery-key.ts',
      'features/totp/code.ts',
    ]);
    // RSA seals to a recovery key by OAEP alone.
    const recovery = sources.find(({ path }) => path === 'crypto/recovery-key.ts')?.text ?? '';
    expect(recovery.match(/RSA_\w+_PADDING/g)).toEqual(['RSA_PKCS1_OAEP_PADDING']);
    expect(recovery.match(/(?:publicEncrypt|privateDecrypt)\(\{ key, \.\.\.OAEP \}/g)).toHaveLength(
      2,
    );
  });
});

describe('the package', () => {
  test('ASVS 13.4.1, 15.2.3: no history, no tests, no configuration of somebody’s, no key', () => {
    const [{ files }] = JSON.parse(
      execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
        cwd: ROOT,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }),
    );
    const paths: string[] = files.map(({ path }: { path: string }) => path);
    expect(paths.length).toBeGreaterThan(5);
    expect(
      paths.filter((path) =>
        /(^|\/)\.git|^test\/|^bench\/|^data\/|\.test\.|\.key$|\.db$|^config\.toml$|\.env/.test(
          path,
        ),
      ),
    ).toEqual([]);
  });

  test('ASVS 15.1.2: a bill of materials names every package that the program depends on, with its version', () => {
    const { bomFormat, components } = JSON.parse(
      execFileSync('npm', ['sbom', '--sbom-format', 'cyclonedx'], {
        cwd: ROOT,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }),
    );
    expect(bomFormat).toBe('CycloneDX');
    const { dependencies } = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8'));
    const named = new Map<string, string>(
      components.map(
        ({ group, name, version }: { group?: string; name: string; version: string }) => [
          group === undefined ? name : `${group}/${name}`,
          version,
        ],
      ),
    );
    for (const [name, version] of Object.entries(dependencies))
      expect([name, named.get(name)]).toEqual([name, version]);
  });

  test('each dependency is pinned to a version and its integrity', () => {
    const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { integrity?: string; inBundle?: boolean; link?: boolean }>;
    };
    for (const [name, { integrity, inBundle, link }] of Object.entries(lock.packages)) {
      // Ours are in this repository.
      const isOurs = !name.includes('node_modules/') || link === true;
      if (isOurs || inBundle === true) continue;
      expect([name, /^sha512-/.test(integrity ?? '')]).toEqual([name, true]);
    }
    const { dependencies, devDependencies } = JSON.parse(
      readFileSync(join(ROOT, 'package.json'), 'utf8'),
    ) as { dependencies: Record<string, string>; devDependencies: Record<string, string> };
    for (const version of Object.values({ ...dependencies, ...devDependencies }))
      expect(version).toMatch(/^\d+\.\d+\.\d+$/);
  });
});
