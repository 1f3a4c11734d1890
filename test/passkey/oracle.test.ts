/**
 * Registering is no oracle for decoys either (E04): a foreign credential id is refused in the same
 * commit, real or not.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestApp } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';
import { create } from '../support/authenticator.ts';
import { addPasskey, registrationOptions, signInOptions } from './story.ts';

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp();
});
afterAll(() => app.stop());

const firstId = async (name: string): Promise<Uint8Array> =>
  Buffer.from((await signInOptions(app, name)).options.allowCredentials[0].id, 'base64url');

test('a session that ends meanwhile, or simply the id of somebody: a decoy’s answers are a real one’s', async () => {
  const victim = await app.register();
  await addPasskey(app, victim);
  const ids = { real: await firstId(victim.username), decoy: await firstId('nobody-has-this') };
  const { username } = await app.register();
  const seen: Record<string, string[]> = { real: [], decoy: [] };
  for (let round = 0; round < 10; round++) {
    for (const kind of ['real', 'decoy'] as const) {
      const session = (await app.login(username)).body;
      const begun = await registrationOptions(app, { access: session.access_token });
      const { credential } = create(begun.options, { id: ids[kind] });
      const finish = app.call('POST', '/me/passkeys', {
        token: session.access_token,
        body: { challenge_id: begun.challenge_id, credential },
      });
      const ending =
        round % 2 === 0
          ? app.call('POST', '/logout', { body: { refresh_token: session.refresh_token } })
          : undefined;
      const [reply] = await Promise.all([finish, ending]);
      seen[kind]?.push(`${round % 2} ${reply.body.code}`);
    }
  }
  expect(seen['decoy']?.sort()).toEqual(seen['real']?.sort());
});
