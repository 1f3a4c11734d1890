/** What hostile CBOR costs, in a registration and in a sign-in (W05, W07). */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestApp } from '../support/app.ts';
import type { SignedIn, TestApp } from '../support/app.ts';
import { create } from '../support/authenticator.ts';
import type { CreationLies, MadeCredential } from '../support/authenticator.ts';
import { expectWithin } from '../support/best.ts';
import { addPasskey, registrationOptions, signIn } from './story.ts';

let app: TestApp;
let user: SignedIn;
let made: MadeCredential;
beforeAll(async () => {
  app = await createTestApp({ config: '[throttle]\nattempts = 100\n' });
  user = await app.register();
  ({ made } = await addPasskey(app, user));
});
afterAll(() => app.stop());

test.each<[string, CreationLies]>([
  ['a depth bomb for a key', { cose: Buffer.alloc(40_000, 0x81) }],
  ['tags upon tags for a key', { cose: Buffer.alloc(40_000, 0xc1) }],
  ['maps within maps', { cose: Buffer.alloc(40_000, 0xa1) }],
  ['a length beyond the end', { cose: Buffer.from('5affffffff', 'hex') }],
  ['a map of four thousand million', { cose: Buffer.from('baffffffff', 'hex') }],
  ['a list of four thousand million', { cose: Buffer.from('9affffffff', 'hex') }],
  ['an indefinite depth bomb', { attestationObject: Buffer.alloc(45_000, 0x9f) }],
  ['a definite depth bomb', { attestationObject: Buffer.alloc(45_000, 0x81) }],
])('%s is refused within a second', (name, lies) =>
  expectWithin(
    1_000,
    async () => {
      const { challenge_id, options } = await registrationOptions(app, user);
      const { credential } = create(options, lies);
      const body = { challenge_id, credential };
      const reply = await app.call('POST', '/me/passkeys', { token: user.access, body });
      expect(reply.status).toBe(422);
    },
    name,
  ),
);

test('a depth bomb among the extensions is refused within a second', () =>
  expectWithin(1_000, async () => {
    const lies = { flags: 0x80, behind: Buffer.alloc(20_000, 0x81) };
    expect((await signIn(app, made, lies)).status).toBe(401);
  }));
