/** Signing in with an identity at an outside provider; the first time creates the account. */
import { recorded } from '../../core/audit/audited-event.ts';
import type { Context } from '../../core/context.ts';
import type { Authentication } from '../../core/factor/authentication.ts';
import type { PresentedFactor } from '../../core/factor/presented.ts';
import type { Kernel } from '../../core/kernel.ts';
import { findUserById, findUserBySignInName, insertUser, newUser } from '../../core/user/user.ts';
import { canonicalEmail } from '../../lib/email-address.ts';
import { Refusal } from '../../refusal.ts';
import { verifyIdentity } from './identity-proof.ts';
import type { IdentityProof, ProofInput } from './identity-proof.ts';
import { profileOf } from './profile.ts';
import type { ExternalSettings, OfferedProvider } from './settings.ts';
import { findIdentity, insertIdentity, useIdentity } from './store.ts';

/** RFC 8176 has no value for a sign-in elsewhere; `fed` is what others use. */
export const PRESENTED_EXTERNAL: PresentedFactor = {
  factor: 'external',
  kind: 'external',
  amr: ['fed'],
};

/** The refusals that a concurrent first sign-in of the same identity causes. */
const TAKEN: ReadonlySet<string> = new Set(['identity_taken', 'account_exists']);

/**
 * Signs in.
 *
 * Its function throws {Refusal} invalid_credentials, provider_unavailable, account_exists,
 * registration_closed, account_disabled, password_change_required, mfa_enrolment_required,
 * rate_limited.
 */
export function signInExternally(
  kernel: Kernel,
  { isRegistrationOpen }: Pick<ExternalSettings, 'isRegistrationOpen'>,
) {
  const { db, clock, authentication, limits } = kernel;

  /** Null when no account has the identity. */
  const known = async (
    context: Context,
    { issuer, subject }: IdentityProof,
  ): Promise<Authentication | null> => {
    const identity = await findIdentity(db, issuer, subject);
    const user = identity === null ? null : await findUserById(db, identity.userId);
    if (identity === null || user === null) return null;
    const effects = [useIdentity(identity, clock.now())];
    return authentication.completeFactor(context, { ...PRESENTED_EXTERNAL, user, effects });
  };

  /** @throws {Refusal} account_exists: the address belongs to an account that must link it */
  const verifiedAddress = async (
    { email, isEmailVerified }: IdentityProof,
    { policy: { trustEmail } }: OfferedProvider,
  ): Promise<{ readonly email: string | null; readonly canonical: string | null }> => {
    if (email === null || !isEmailVerified || !trustEmail) return { email: null, canonical: null };
    const canonical = canonicalEmail(email) ?? '';
    if ((await findUserBySignInName(db, { kind: 'email', canonical })) !== null)
      throw new Refusal('account_exists');
    return { email, canonical };
  };

  const created = async (
    context: Context,
    offered: OfferedProvider,
    proof: IdentityProof,
  ): Promise<Authentication> => {
    if (!isRegistrationOpen) throw new Refusal('registration_closed');
    limits.demand('register', { kind: 'network', requester: context.requester });
    const { email, canonical } = await verifiedAddress(proof, offered);
    const { issuer, subject, claims } = proof;
    const now = clock.now();
    const profile = profileOf(claims, offered.policy);
    const user = newUser({ id: kernel.newId(), createdAt: now, email, ...profile });
    const names = {
      usernameCanonical: null,
      emailCanonical: canonical,
      pendingEmailCanonical: null,
    };
    const identity = {
      id: kernel.newId(),
      userId: user.id,
      provider: offered.provider.name,
      issuer,
      subject,
      email: proof.email,
      createdAt: now,
      lastUsedAt: now,
    };
    const event = { 'user.id': user.id, factor: PRESENTED_EXTERNAL.factor };
    const effects = [
      insertUser(user, names, 'account_exists'),
      insertIdentity(identity),
      recorded('user.registered', 'an account was registered', event),
    ];
    return authentication.completeFactor(context, { ...PRESENTED_EXTERNAL, user, effects });
  };

  /** Of two concurrent first sign-ins of an identity, the second finds the account of the first. */
  const createdOnce = async (
    context: Context,
    offered: OfferedProvider,
    proof: IdentityProof,
  ): Promise<Authentication> => {
    try {
      return await created(context, offered, proof);
    } catch (error) {
      const isTaken = error instanceof Refusal && TAKEN.has(error.code);
      const meanwhile = isTaken ? await known(context, proof) : null;
      if (meanwhile === null) throw error;
      return meanwhile;
    }
  };

  return async (
    context: Context,
    offered: OfferedProvider,
    input: ProofInput,
  ): Promise<Authentication> => {
    try {
      const proof = await verifyIdentity(kernel, offered.provider, input);
      return (await known(context, proof)) ?? (await createdOnce(context, offered, proof));
    } catch (error) {
      if (error instanceof Refusal)
        context.log.write('info', 'sign_in.failed', 'a sign-in was refused', {
          factor: PRESENTED_EXTERNAL.factor,
          'error.type': error.code,
        });
      throw error;
    }
  };
}
