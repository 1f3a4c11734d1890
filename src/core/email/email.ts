/**
 * Letters for features: what is told, what was asked for within the limits, and the one function
 * that makes links.
 */
import type { Statement } from '../../db/database.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Sealer } from '../../crypto/seal.ts';
import { postLetter, postLimitedLetter, postSpacedLetter } from './outbox.ts';
import type { LetterName, LetterValues, MailLimits, NewLetter } from './outbox.ts';
import type { Requester } from '../session/requester.ts';
import type { SigningKeys } from '../signing-key/signing-key.ts';

export interface MailPolicy {
  readonly limits: MailLimits;
  /** How long a link is good, milliseconds. */
  readonly linkTtl: number;
  /** The pages that take links; from the configuration, never from a request (R02). */
  readonly verifyUrl: string;
  readonly resetUrl: string;
}

export interface MailDeps {
  readonly clock: Clock;
  readonly newId: () => string;
  readonly sealer: Sealer;
  readonly keys: SigningKeys;
  readonly mail: MailPolicy;
}

/** Nobody wants to hear of a change after this. */
const NOTICE_TTL_MS = 3 * 86_400_000;

/** A link with its token in the fragment, which no server logs and no Referer carries (R06). */
export function linkTo(page: string, token: string): string {
  const url = new URL(page);
  url.hash = new URLSearchParams({ token }).toString();
  return url.href;
}

function common(requester: Requester): LetterValues {
  return { locale: requester.locale ?? 'en' };
}

/**
 * The statement that tells a user of something that happened; none when there is no proved address
 * to tell.
 */
export function tell(
  deps: MailDeps,
  letter: LetterName,
  address: string | null,
  values: LetterValues,
  requester: Requester,
): readonly Statement[] {
  if (address === null) return [];
  return [
    postLetter(
      { sealer: deps.sealer, derivedKey: deps.keys.derivedKey },
      notice(deps, letter, address, values, requester),
    ),
  ];
}

/**
 * The same for what can be done any number of times: at most one in an interval, whatever others
 * ask of that address.
 */
export function tellSeldom(
  deps: MailDeps,
  letter: LetterName,
  address: string | null,
  values: LetterValues,
  requester: Requester,
): readonly Statement[] {
  if (address === null) return [];
  return [
    postSpacedLetter(
      { sealer: deps.sealer, derivedKey: deps.keys.derivedKey },
      deps.mail.limits.interval,
      notice(deps, letter, address, values, requester),
    ),
  ];
}

function notice(
  deps: MailDeps,
  letter: LetterName,
  address: string,
  values: LetterValues,
  requester: Requester,
): NewLetter {
  return {
    id: deps.newId(),
    letter,
    recipient: address,
    values: { ...common(requester), ...values },
    now: deps.clock.now(),
    ttlMs: NOTICE_TTL_MS,
    isReal: true,
  };
}

export interface AskedLetter {
  readonly letter: LetterName;
  readonly address: string;
  readonly values: LetterValues;
  /** Requests of one kind share an interval. */
  readonly group: string;
  /** False for an address that nobody has: counted alike, never sent. */
  readonly isReal: boolean;
}

/** The statement for a letter that somebody asked for; guarded by MAIL_LIMITED. */
export function askedLetter(deps: MailDeps, asked: AskedLetter, requester: Requester): Statement {
  const outbox = { sealer: deps.sealer, derivedKey: deps.keys.derivedKey };
  const { letter, address, values, group, isReal } = asked;
  return postLimitedLetter(
    outbox,
    deps.mail.limits,
    {
      id: deps.newId(),
      letter,
      recipient: address,
      values: { ...common(requester), ...values },
      now: deps.clock.now(),
      ttlMs: deps.mail.linkTtl,
      isReal,
    },
    group,
  );
}
