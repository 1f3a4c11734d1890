/** An outside identity as a sign-in method, presented again within a session. */
import * as z from 'zod';
import type { SignInMethod } from '../../core/factor/sign-in-methods.ts';
import type { Kernel } from '../../core/kernel.ts';
import { text, tokenText } from '../../http/fields.ts';
import { Refusal } from '../../refusal.ts';
import { verifyIdentity } from './identity-proof.ts';
import type { OfferedProvider } from './settings.ts';
import { PRESENTED_EXTERNAL } from './sign-in.ts';
import { canSignInWith, findIdentity, useIdentity } from './store.ts';

const Answer = z.strictObject({
  provider: text({ min: 1, max: 64 }),
  id_token: tokenText(),
  nonce: text({ min: 1, max: 128 }),
});

export function externalMethod(
  kernel: Kernel,
  offered: ReadonlyMap<string, OfferedProvider>,
): SignInMethod {
  const { db, clock } = kernel;
  return {
    name: PRESENTED_EXTERNAL.factor,
    isUsable: canSignInWith([...offered.keys()]),
    again: {
      name: PRESENTED_EXTERNAL.factor,
      answer: Answer.meta({
        description: 'An ID token with a nonce of POST /login/external/{provider}/nonce.',
      }),
      problems: ['provider_unavailable'],
      verify: async ({ principal: { user } }, given) => {
        const { provider: name, id_token: idToken, nonce } = Answer.parse(given);
        const provider = offered.get(name)?.provider;
        if (provider === undefined) throw new Refusal('invalid_credentials');
        const proof = await verifyIdentity(kernel, provider, { idToken, nonce });
        const identity = await findIdentity(db, proof.issuer, proof.subject);
        if (identity?.userId !== user.id) throw new Refusal('invalid_credentials');
        return { ...PRESENTED_EXTERNAL, user, effects: [useIdentity(identity, clock.now())] };
      },
    },
  };
}
