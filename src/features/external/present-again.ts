/** An outside identity as a sign-in method, presented again within a session. */
import * as z from 'zod';
import type { SignInMethod } from '../../core/factor/sign-in-methods.ts';
import type { Kernel } from '../../core/kernel.ts';
import { text } from '../../http/fields.ts';
import { Refusal } from '../../refusal.ts';
import { verifyIdentity } from './identity-proof.ts';
import { proofIn, proofMembers } from './proof-members.ts';
import type { OfferedProvider } from './settings.ts';
import { PRESENTED_EXTERNAL } from './sign-in.ts';
import { canSignInWith, findIdentity, useIdentity } from './store.ts';

const Answer = z.strictObject({ provider: text({ min: 1, max: 64 }), ...proofMembers });

export function externalMethod(
  kernel: Kernel,
  offered: ReadonlyMap<string, OfferedProvider>,
): SignInMethod {
  const { db, clock } = kernel;
  const name = PRESENTED_EXTERNAL.factor;
  return {
    name,
    isUsable: canSignInWith([...offered.keys()]),
    again: {
      name,
      answer: Answer.meta({
        description:
          'The members of POST /login/external/{provider}, and the name of the provider.',
      }),
      problems: ['provider_unavailable'],
      verify: async ({ principal: { user } }, given) => {
        const { provider: named, ...members } = Answer.parse(given);
        const input = proofIn(members, `/${name}`);
        const provider = offered.get(named)?.provider;
        if (provider === undefined) throw new Refusal('invalid_credentials');
        const proof = await verifyIdentity(kernel, provider, input);
        const identity = await findIdentity(db, proof.issuer, proof.subject);
        if (identity?.userId !== user.id) throw new Refusal('invalid_credentials');
        return { ...PRESENTED_EXTERNAL, user, effects: [useIdentity(identity, clock.now())] };
      },
    },
  };
}
