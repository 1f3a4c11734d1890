/** A user's own identities: linking one, and unlinking it. */
import type { PrincipalContext } from '../../core/context.ts';
import { withoutFactor } from '../../core/factor/presented.ts';
import type { Kernel } from '../../core/kernel.ts';
import { Refusal } from '../../refusal.ts';
import { verifyIdentity } from './identity-proof.ts';
import type { ProofInput } from './identity-proof.ts';
import type { Provider } from './provider.ts';
import { PRESENTED_EXTERNAL } from './sign-in.ts';
import { deleteIdentity, insertIdentity, listIdentities } from './store.ts';
import type { Identity } from './store.ts';

const labelOf = (provider: string): string => `the account at ${provider}`;

/**
 * Links an identity to the account of the session, which is the user's consent. The other sessions
 * end, and the user is notified.
 *
 * Its function throws {Refusal} invalid_credentials, provider_unavailable; identity_taken: an
 * account has it, or this one has another of the provider; conflict, session_revoked.
 */
export function linkIdentity(kernel: Kernel) {
  return async (
    context: PrincipalContext,
    provider: Provider,
    input: ProofInput,
  ): Promise<Identity> => {
    const { user, session } = context.principal;
    const { issuer, subject, email } = await verifyIdentity(kernel, provider, input);
    const identity = {
      id: kernel.newId(),
      userId: user.id,
      provider: provider.name,
      issuer,
      subject,
      email,
      createdAt: kernel.clock.now(),
      lastUsedAt: null,
    };
    await kernel.factors.change(context, {
      statements: [insertIdentity(identity)],
      presented: session.factors,
      template: 'factor_added',
      label: labelOf(provider.name),
      factor: PRESENTED_EXTERNAL.factor,
      event: 'factor.added',
    });
    return identity;
  };
}

/**
 * Unlinks the identity of a provider, also of one that is not configured any more.
 *
 * Its function throws {Refusal} not_found, last_sign_in_method, conflict, session_revoked.
 */
export function unlinkIdentity({ db, factors, signInMethods }: Kernel) {
  return async (context: PrincipalContext, provider: string): Promise<void> => {
    const { user, session } = context.principal;
    const own = await listIdentities(db, user.id);
    if (!own.some((one) => one.provider === provider)) throw new Refusal('not_found');
    const { factor } = PRESENTED_EXTERNAL;
    await factors.change(context, {
      statements: [deleteIdentity(user.id, provider), signInMethods.demandOne(user.id)],
      presented: own.length === 1 ? withoutFactor(session.factors, factor) : session.factors,
      template: 'factor_removed',
      label: labelOf(provider),
      factor,
      event: 'factor.removed',
    });
  };
}
