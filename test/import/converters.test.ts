/** The converters of examples/import: each fixture comes in whole, and its users sign in. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PASSWORD } from '../support/app.ts';
import { codeAt } from '../support/mfa.ts';
import { createImportRig } from './rig.ts';
import type { ImportRig } from './rig.ts';

const FOLDER = fileURLToPath(new URL('../../examples/import/', import.meta.url));
/** Of github.com/firebase/scrypt. */
const SIGNER_KEY =
  'jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==';

interface Conversion {
  readonly files: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly users: number;
  /** What is told on stderr. */
  readonly told?: RegExp;
  /** Names that sign in, with their passwords. */
  readonly signIns: readonly (readonly [name: string, password: string])[];
  readonly refused?: readonly (readonly [name: string, status: number])[];
}

const CONVERSIONS: Readonly<Record<string, Conversion>> = {
  keycloak: {
    files: ['keycloak.json'],
    users: 3,
    signIns: [
      ['kc-ada', PASSWORD],
      ['kc-ada@example.com', PASSWORD],
      ['kc-bob', PASSWORD],
    ],
    refused: [['kc-bob@example.com', 401]],
  },
  supabase: {
    files: ['supabase.ndjson'],
    users: 2,
    signIns: [],
    refused: [['sb-new@example.com', 401]],
  },
  auth0: {
    files: ['auth0-users.ndjson', 'auth0-passwords.ndjson'],
    users: 2,
    signIns: [
      ['a0-ada', PASSWORD],
      ['a0-ada@example.com', PASSWORD],
    ],
    refused: [['a0-bob@example.com', 401]],
  },
  'better-auth': { files: ['better-auth.json'], users: 1, signIns: [] },
  pocketbase: {
    files: ['pocketbase.json'],
    users: 2,
    signIns: [
      ['users75657', '1234567890'],
      ['test2@example.com', '1234567890'],
    ],
    refused: [['test@example.com', 401]],
  },
  keratin: {
    files: ['keratin.ndjson'],
    env: { VERIFIED: '1' },
    users: 2,
    signIns: [['kr-ada', PASSWORD]],
    refused: [['kr-bob@example.com', 403]],
  },
  django: {
    files: ['django.json'],
    users: 6,
    told: /^5: its password is hashed by bcrypt_sha256\n$/,
    signIns: [
      ['dj-pbkdf2', PASSWORD],
      ['dj-argon2', PASSWORD],
      ['dj-scrypt', PASSWORD],
      ['dj-sha1', PASSWORD],
    ],
    refused: [
      ['dj-left', 401],
      ['dj-argon2@example.com', 401],
    ],
  },
  firebase: {
    files: ['firebase.json'],
    env: { SIGNER_KEY },
    users: 3,
    signIns: [
      ['fb-ada@example.com', 'user1password'],
      ['fb-bob@example.com', 'password'],
    ],
  },
  'aspnet-identity': {
    files: ['aspnet-identity.json'],
    users: 2,
    signIns: [
      ['an-ada', '!passwordSecure123ASPV3'],
      ['an-bob@example.com', '!passwordSecure123ASPV2'],
    ],
  },
};

/** Each its own: other systems count from 1. */
const rigs = new Map<string, ImportRig>();
beforeAll(async () => {
  for (const name of Object.keys(CONVERSIONS)) rigs.set(name, await createImportRig());
});
afterAll(async () => {
  for (const one of rigs.values()) await one.stop();
});
const use = (name: string): ImportRig => {
  const found = rigs.get(name);
  if (found === undefined) throw new Error(name);
  return found;
};

function convert(name: string, { files, env = {} }: Conversion) {
  const paths = files.map((file) => `${FOLDER}fixtures/${file}`);
  return spawnSync(process.execPath, [`${FOLDER}${name}.mjs`, ...paths], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], ...env },
  });
}

test('there is a conversion for every script', () => {
  const scripts = readdirSync(FOLDER).filter(
    (name) => name.endsWith('.mjs') && name !== 'lines.mjs',
  );
  expect(scripts.map((name) => name.slice(0, -4)).sort()).toEqual(Object.keys(CONVERSIONS).sort());
});

describe.each(Object.entries(CONVERSIONS))('%s', (name, conversion) => {
  const { users, told = /^$/, signIns, refused = [] } = conversion;

  test('every user comes in, and signs in with the old password', async () => {
    const rig = use(name);
    const { status, stdout, stderr } = convert(name, conversion);
    expect([status, stderr]).toEqual([0, expect.stringMatching(told)]);
    const { body } = await rig.lines(stdout.trim().split('\n'));
    expect([body.errors, body.created]).toEqual([[], users]);
    for (const [user, password] of signIns) {
      expect((await rig.app.login(user, `${password}x`)).status).toBe(401);
      // Twice: by the old hash, and by the one that replaced it.
      for (let n = 0; n < 2; n++)
        expect([user, (await rig.app.login(user, password)).body.status]).toEqual([
          user,
          'authenticated',
        ]);
    }
    for (const [user, code] of refused)
      expect([user, (await rig.app.login(user)).status]).toEqual([user, code]);
  });
});

test('second factors: seeds of Keycloak and Supabase, a passkey of Better Auth', async () => {
  const seeds = [
    // Keycloak's secrets are letters, not base 32.
    ['keycloak', 'kc-carl@example.com', 'ON2GK4DVOBSGK3LPMZUXQ5DVOJSTCMRT'],
    ['supabase', 'sb-ada@example.com', 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP'],
  ] as const;
  for (const [system, user, seed] of seeds) {
    const rig = use(system);
    expect((await rig.app.login(user)).body.status).toBe('mfa_required');
    const totp = codeAt(seed, rig.app.clock.now());
    expect((await rig.app.login(user, PASSWORD, { totp })).body.status).toBe('authenticated');
  }
  expect((await use('better-auth').app.login('ba-ada')).body).toMatchObject({
    status: 'mfa_required',
    factors: ['passkey'],
  });
});

test('an address is verified only where the other system says so, or the operator', () => {
  const line = (VERIFIED: string) =>
    execFileSync(process.execPath, [`${FOLDER}django.mjs`, `${FOLDER}fixtures/django.json`], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], VERIFIED },
      stdio: ['ignore', 'pipe', 'ignore'],
    }).split('\n')[0];
  expect(line('')).toContain('"pending_email":"dj-pbkdf2@example.com"');
  expect(line('1')).toContain('"email":"dj-pbkdf2@example.com"');
});
