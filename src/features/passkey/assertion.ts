/**
 * One assertion, as first or as further factor: whose it is, whether it holds, and what its counter
 * says.
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
 * Keys that nobody has the other half of, ES256, EdDSA and RS256: what an unknown credential is
 * verified by, for the same work (E04).
 */
const STAND_INS = [
  'pQECAyYgASFYIJW6ANjmaGKLpqrEeigfA0I_ieKVLONM8rmJ4Dc2LvfBIlggqMXFxlaONh30-s-ztoXU6Plh7SvMj8PfMpOLfUw_Mw4',
  'pAEBAycgBiFYIGvKFeJ-ITAEPofDluFNtkLwxlLyv0xWiWYvaOleqYRF',
  'pAEDAzkBACBZAQDAa-tyxNHZlusJeiHH9vOLqEgbN960y2quVxwNmGN88s9j0zMiPZS8_DOzUyH8dunVzCtzhLJ02zI7i3qtpj0OkIPcXnGQE9IjkRi0SdGcFcFHxbf22lpWp4xH7wKOYrC9IFYHHuGO7uHKn2EIsRwLbNaJysSQazNzBHp0syQrZ8g5teKvfxbCsaNTxj2-w8v7qgkN1c0qoCinTY7bT9IG6bquAbFtNpYYj10MdSGmBe3FJeoId_lc-lH8nV5ebfIw3fyhX80VWVU49RnBWg8DFMixrMPbt53PZEtihWqfrr3VehXCJ6fGl3SmOz9x5kla42D5MaLtToFIhdezBY7xIUMBAAE',
] as const;

/**
 * Most keys are ES256, some are not, and which one stands in for a credential is always the same:
 * its time tells no more than a real one's.
 */
function standIn(credentialId: string): string {
  const dice = createHash('sha256').update(credentialId).digest()[0] ?? 0;
  const [es256, edDsa, rs256] = STAND_INS;
  if (dice < 200) return es256;
  return dice < 228 ? edDsa : rs256;
}

/**
 * What a presented passkey counts for. A key that may be copied between devices is software's to
 * them, whatever holds it (RFC 8176).
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
  /** The passkey that the assertion names, and its user; null when nobody has it. */
  readonly owned: { readonly passkey: Passkey; readonly user: User } | null;
  /**
   * Whether the authenticator has to say whose it is: in a sign-in without a name (WebAuthn §7.2
   * step 6).
   */
  readonly handle: 'required' | 'optional';
}

/**
 * Verifies an assertion. That its counter was not used meanwhile is decided by the statement among
 * the effects.
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
  if (owned === null || !belongsTo(owned.user, credential, handle)) {
    throw new Refusal('invalid_credentials');
  }
  const { passkey, user } = owned;
  // A key can't become or cease to be one that is copied (§7.2 step 19, W03).
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
    // Whoever has the key has attempt counters of its own at what comes next (L02).
    device: passkey.id,
    effects: [acceptCounter({ id: passkey.id, counter, backedUp, now })],
  };
}

/** Said or not, it can be nobody else's (W05). */
function belongsTo(
  { id }: User,
  { response }: AssertionJson,
  handle: PresentedAssertion['handle'],
): boolean {
  const given = response.userHandle ?? '';
  return given === '' ? handle === 'optional' : given === userHandleOf(id);
}

/**
 * A right signature with a counter that was used before: there may be two of it. Its user is told,
 * and the assertion refused (W04).
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
