/**
 * Verifies an assertion, as first or as further factor: the passkey's owner, the signature, and the
 * counter.
 */
import { createHash } from 'node:crypto';
import type { Context } from '../../core/context.ts';
import type { VerifiedFactor } from '../../core/factor/factor.ts';
import { placeOf } from '../../core/factor/factors.ts';
import type { Amr, PresentedFactor } from '../../core/factor/presented.ts';
import type { User } from '../../core/user/user.ts';
import { Refusal } from '../../refusal.ts';
import type { PasskeyChallenge } from './challenge-token.ts';
import type { AssertionJson } from './credential-json.ts';
import { NotVerified, ORIGIN_DETAIL, OriginRefused, reportOrigin } from './not-verified.ts';
import { userHandleOf } from './options.ts';
import type { PasskeyKernel } from './settings.ts';
import { acceptCounter, suspectClone } from './store.ts';
import type { Passkey } from './store.ts';
import { verifyAssertion } from './verification.ts';
import type { Assertion } from './verification.ts';

/**
 * Keys whose private half nobody has (ES256, EdDSA, RS256): an unknown credential is verified with
 * one of them, so that the work is the same (E04).
 */
const STAND_INS = [
  'pQECAyYgASFYIJW6ANjmaGKLpqrEeigfA0I_ieKVLONM8rmJ4Dc2LvfBIlggqMXFxlaONh30-s-ztoXU6Plh7SvMj8PfMpOLfUw_Mw4',
  'pAEBAycgBiFYIGvKFeJ-ITAEPofDluFNtkLwxlLyv0xWiWYvaOleqYRF',
  'pAEDAzkBACBZAQDAa-tyxNHZlusJeiHH9vOLqEgbN960y2quVxwNmGN88s9j0zMiPZS8_DOzUyH8dunVzCtzhLJ02zI7i3qtpj0OkIPcXnGQE9IjkRi0SdGcFcFHxbf22lpWp4xH7wKOYrC9IFYHHuGO7uHKn2EIsRwLbNaJysSQazNzBHp0syQrZ8g5teKvfxbCsaNTxj2-w8v7qgkN1c0qoCinTY7bT9IG6bquAbFtNpYYj10MdSGmBe3FJeoId_lc-lH8nV5ebfIw3fyhX80VWVU49RnBWg8DFMixrMPbt53PZEtihWqfrr3VehXCJ6fGl3SmOz9x5kla42D5MaLtToFIhdezBY7xIUMBAAE',
] as const;

/**
 * Most keys are ES256, some are not, and the same unknown credential always gets the same key: the
 * time reveals no more than that of a real one.
 */
function standIn(credentialId: string): string {
  const dice = createHash('sha256').update(credentialId).digest()[0] ?? 0;
  const [es256, edDsa, rs256] = STAND_INS;
  if (dice < 200) return es256;
  return dice < 228 ? edDsa : rs256;
}

/**
 * The strength of a presented passkey. RFC 8176 calls a key that may be copied between devices a
 * software key, whatever stores it.
 */
export function presentedBy({
  backupEligible,
  userVerified,
}: Pick<Assertion, 'backupEligible' | 'userVerified'>): PresentedFactor {
  const amr: readonly Amr[] = [backupEligible ? 'swk' : 'hwk', 'user'];
  const presented = { factor: 'passkey', kind: 'device', amr } as const;
  return userVerified ? { ...presented, isMultiFactor: true } : presented;
}

export interface PresentedAssertion {
  readonly challenge: PasskeyChallenge;
  readonly credential: AssertionJson;
  /** The passkey that the assertion names, and its user; null when it is unknown. */
  readonly owned: { readonly passkey: Passkey; readonly user: User } | null;
  /**
   * Whether the authenticator must name the user: in a sign-in without a name (WebAuthn §7.2 step
   * 6).
   */
  readonly handle: 'required' | 'optional';
}

/**
 * Verifies an assertion. A statement among the effects checks that its counter was not used
 * meanwhile.
 *
 * @throws {Refusal} invalid_credentials
 */
export async function verifyPasskey(
  kernel: PasskeyKernel,
  context: Context,
  { challenge, credential, owned, handle }: PresentedAssertion,
): Promise<VerifiedFactor> {
  const { relyingParty, userVerification } = kernel.passkeys;
  const expected = { relyingParty, challenge: challenge.challenge, userVerification };
  let assertion: Assertion;
  try {
    const publicKey = owned?.passkey.publicKey ?? standIn(credential.id);
    assertion = await verifyAssertion(expected, credential, publicKey);
  } catch (cause) {
    if (cause instanceof OriginRefused) {
      reportOrigin(context, cause);
      throw new Refusal('invalid_credentials', { detail: ORIGIN_DETAIL, cause });
    }
    if (cause instanceof NotVerified) throw new Refusal('invalid_credentials', { cause });
    throw cause;
  }
  if (owned === null || !belongsTo(owned, credential, handle)) {
    throw new Refusal('invalid_credentials');
  }
  const { passkey, user } = owned;
  // Whether a key can be copied never changes (§7.2 step 19, W03).
  if (assertion.backupEligible !== (passkey.backupEligible === 1)) {
    throw new Refusal('invalid_credentials');
  }
  const { counter, backedUp } = assertion;
  if (counter <= passkey.counter && (counter > 0 || passkey.counter > 0)) {
    throw await cloneSuspected(kernel, context, owned);
  }
  const now = kernel.clock.now();
  return {
    ...presentedBy(assertion),
    user,
    // A client that has the key gets attempt counters of its own for the next factor (L02).
    device: passkey.id,
    effects: [acceptCounter({ id: passkey.id, counter, backedUp, now })],
  };
}

/** The user handle is optional, but if present it must be the owner's (W05). */
function belongsTo(
  { user: { id }, passkey: { userHandle } }: NonNullable<PresentedAssertion['owned']>,
  { response }: AssertionJson,
  handle: PresentedAssertion['handle'],
): boolean {
  const given = response.userHandle ?? '';
  return given === '' ? handle === 'optional' : given === (userHandle ?? userHandleOf(id));
}

/**
 * A valid signature with a counter that was used before: the passkey may have been copied. The user
 * is notified, and the assertion refused (W04).
 */
async function cloneSuspected(
  { commit, emails, clock }: PasskeyKernel,
  context: Context,
  { passkey, user }: NonNullable<PresentedAssertion['owned']>,
): Promise<Refusal> {
  await commit.inAnySession([
    suspectClone(passkey.id, clock.now()),
    ...emails.notifySeldom(context, {
      template: 'passkey_suspect',
      to: user.email,
      values: { factor: passkey.name, address: placeOf(context) },
    }),
  ]);
  context.log.write(
    'warn',
    'passkey.clone_suspected',
    'a passkey answered with a counter that was used before',
    { 'user.id': user.id },
  );
  return new Refusal('invalid_credentials');
}
