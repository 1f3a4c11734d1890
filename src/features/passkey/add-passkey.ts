/**
 * Adding a passkey: started with a fresh authentication, completed in the same session and the same
 * state of the account.
 */
import type { PrincipalContext } from '../../core/context.ts';
import { withFactor } from '../../core/factor/presented.ts';
import type { Principal } from '../../core/session/session.ts';
import { Refusal } from '../../refusal.ts';
import { presentedBy } from './assertion.ts';
import { beginCeremony, spendCeremony } from './ceremony.ts';
import type { BegunCeremony } from './ceremony.ts';
import { isBoundTo } from './challenge-token.ts';
import type { AttestationJson } from './credential-json.ts';
import type { Descriptor } from './options.ts';
import { ceremonyIsOver, passkeyOf, recordOf, verifyNew } from './new-credential.ts';
import type { PasskeyKernel } from './settings.ts';
import { MAX_PASSKEYS, insertPasskey, listPasskeys } from './store.ts';
import type { Passkey } from './store.ts';

/**
 * Only the user who started it can complete it, in the same session, and only if the account's
 * factors have not changed since (W05, O09).
 */
const bindingParts = ({ user, session }: Principal): readonly string[] => [
  user.id,
  session.id,
  String(user.epoch),
];

/** A passkey in words, for emails. */
export function labelOf({ name }: Pick<Passkey, 'name'>): string {
  return `the passkey "${name}"`;
}

/** A passkey as the options list it. */
export function descriptorOf({ credentialId, transports }: Passkey): Descriptor {
  return { id: credentialId, transports };
}

export interface BegunCreation extends BegunCeremony {
  readonly exclude: readonly Descriptor[];
}

/** Starts adding a passkey. Its function throws {Refusal} too_many_passkeys. */
export function beginAddingPasskey(kernel: PasskeyKernel) {
  return async ({ principal }: PrincipalContext): Promise<BegunCreation> => {
    const own = await listPasskeys(kernel.db, principal.user.id);
    if (own.length >= MAX_PASSKEYS) throw new Refusal('too_many_passkeys');
    const begun = beginCeremony(kernel, 'register', bindingParts(principal));
    return { ...begun, exclude: own.map(descriptorOf) };
  };
}

export interface NewPasskeyInput {
  readonly challengeId: string;
  readonly credential: AttestationJson;
  readonly name: string | undefined;
}

/**
 * Adds the passkey that the authenticator created.
 *
 * Its function throws {Refusal} invalid_request: the ceremony has ended, or its answer is wrong;
 * passkey_registered, too_many_passkeys, conflict, session_revoked.
 */
export function addPasskey(kernel: PasskeyKernel) {
  return async (context: PrincipalContext, input: NewPasskeyInput): Promise<Passkey> => {
    const { user, session } = context.principal;
    const challenge = await spendCeremony(kernel, 'register', input.challengeId);
    if (challenge === null || !isBoundTo(kernel, challenge, bindingParts(context.principal)))
      throw ceremonyIsOver('');
    const { credential, name } = input;
    const made = await verifyNew(kernel, context, challenge, { credential, at: '' });
    const passkey = passkeyOf(kernel, user.id, recordOf(made, credential, name));
    await kernel.factors.change(context, {
      statements: [insertPasskey(passkey)],
      presented: withFactor(session.factors, presentedBy(made)),
      template: 'factor_added',
      label: labelOf(passkey),
      factor: 'passkey',
      event: 'factor.added',
    });
    return passkey;
  };
}
