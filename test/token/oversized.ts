/** Tokens that are too long or too odd to be looked at, and the status of GET /me with each. */
import { randomBytes } from 'node:crypto';
import type { TestApp } from '../support/app.ts';
import { request, sendRaw } from '../support/raw.ts';
import { encode } from './forge.ts';

const jwe = (header: object) =>
  `${encode(header)}.${randomBytes(32).toString('base64url')}.${randomBytes(12).toString('base64url')}.${randomBytes(64).toString('base64url')}.${randomBytes(16).toString('base64url')}`;
const deep = (depth: number) =>
  `${encode(`{"alg":"ES256","kid":${'['.repeat(depth)}${']'.repeat(depth)}}`)}.e30.AA`;

export const oversizedTokens: readonly (readonly [name: string, token: string, status: number])[] =
  [
    ['8 kB', 'a'.repeat(8_192), 401],
    ['8 kB in three parts', `${'a'.repeat(2_732)}.${'b'.repeat(2_732)}.${'c'.repeat(2_724)}`, 401],
    ['64 kB', 'a'.repeat(65_536), 431],
    ['1,000 dots', '.'.repeat(1_000), 401],
    ['10,000 dots', 'a.'.repeat(5_000), 401],
    ['a deep header', deep(1_000), 401],
    [
      'JWE, PBES2 of 2^31 rounds',
      jwe({ alg: 'PBES2-HS256+A128KW', enc: 'A256GCM', p2c: 2 ** 31, p2s: 'AAAA' }),
      401,
    ],
    ['JWE, a zip bomb', jwe({ alg: 'dir', enc: 'A256GCM', zip: 'DEF' }), 401],
    ['one character', 'a', 401],
    ['4,097 characters', `${'a'.repeat(4_091)}.aa.aa`, 401],
  ];

/** GET /me with this token, by hand: fetch has limits of its own. */
export async function sendInHeader(app: TestApp, token: string): Promise<number | undefined> {
  const { replies } = await sendRaw(
    app.url,
    request('GET /me', [`Authorization: Bearer ${token}`, 'Connection: close']),
  );
  return replies[0]?.status;
}
