/**
 * Sends the outbox's emails, or its text messages: at least once, by the first transport that works; otherwise again
 * later, with growing and jittered waits, until a bounded number of attempts is used up. Requests
 * never wait for it (G7).
 */
import type { Database } from '../db/database.ts';
import type { Sealer } from '../crypto/seal.ts';
import { claimEmails, hasDueEmails } from '../core/email/claim.ts';
import type { ClaimedEmail } from '../core/email/claim.ts';
import type { Channel } from '../core/email/lanes.ts';
import { settleEmail } from '../core/email/outbox.ts';
import type { Settlement } from '../core/email/outbox.ts';
import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/id.ts';
import { exceptionFields } from '../lib/log.ts';
import type { Log } from '../lib/log.ts';
import { createPace, fraction } from './pace.ts';
import type { Pace } from './pace.ts';
import { DeliveryError, EMAILS_AT_ONCE } from './transport.ts';
import type { Transport } from './transport.ts';
import { createTurns } from './turns.ts';

export interface CourierDeps<Message> {
  readonly channel: Channel;
  readonly db: Database;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly transports: readonly Transport<Message>[];
  /** What is sent, also of a decoy. */
  readonly render: (email: ClaimedEmail) => Message;
}

export interface Courier {
  /** Makes it check the outbox soon. */
  wake(): void;
  /** Sends what is due; resolves when nothing more is due. */
  deliverDue(): Promise<void>;
  /** Waits for running deliveries, up to a limit; those that are aborted are sent again later. */
  close(): Promise<void>;
}

const POLL_MS = 1_000;
/**
 * A commit with an email wakes the courier after a random time up to this: its work then coincides
 * with no particular request (E06), and emails of one moment share a commit.
 */
const WAKE_SPREAD_MS = 100;
/**
 * Longer than all transports together take for one email. An email of a killed process waits this
 * long.
 */
const LEASE_MS = 2 * 60_000;
const FIRST_WAIT_MS = 15_000;
const MAX_WAIT_MS = 30 * 60_000;
export const MAX_ATTEMPTS = 12;
const CLOSE_WAIT_MS = 3_000;

/**
 * The wait after a failed attempt: doubled each time, bounded, ±25 %, so that emails don't come
 * back all at once.
 */
export function waitAfter(attempts: number, random: Random): number {
  const base = Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.max(0, attempts - 1));
  return Math.round(base * (0.75 + fraction(random) * 0.5));
}

export function createCourier<Message>(deps: CourierDeps<Message>): Courier {
  const { db, clock, random, log, channel } = deps;
  const underWay = new Set<ClaimedEmail>();
  const turns = createTurns(db, underWay, channel);
  const pace = createPace(random);
  let running: Promise<void> | undefined;
  let again = false;
  let closed = false;
  let soon: NodeJS.Timeout | undefined;

  /** Deliveries are independent: a slow one does not delay the others. */
  const start = (email: ClaimedEmail): void => {
    underWay.add(email);
    void deliver(deps, pace, email).finally(() => {
      underWay.delete(email);
      run();
    });
  };
  /** Claims as many emails as there is capacity for; returns whether more may be due. */
  const take = async (): Promise<boolean> => {
    const now = clock.now();
    if (underWay.size >= EMAILS_AT_ONCE || !(await hasDueEmails(db, now, channel))) return false;
    const { turns: planned, isWhole } = await turns.plan(now);
    if (planned.length === 0) return !isWhole;
    const emails = await claimEmails(db, deps.sealer, { now, leaseMs: LEASE_MS, turns: planned });
    emails.forEach(start);
    return emails.length > 0 || !isWhole;
  };
  const round = async (): Promise<void> => {
    do {
      again = false;
      if (await take()) again = true;
      // Let requests that arrived meanwhile run first.
      if (again) await new Promise((resolve) => setImmediate(resolve));
    } while (again && !closed);
  };
  const run = (): void => {
    if (closed) return;
    if (running !== undefined) {
      again = true;
      return;
    }
    running = round()
      .catch((error: unknown) =>
        log.write(
          'error',
          'outbox.failed',
          'the outbox could not be read; it will be tried again',
          exceptionFields(error),
        ),
      )
      .finally(() => (running = undefined));
  };
  const settled = async (): Promise<void> => {
    while (running !== undefined || underWay.size > 0) {
      await (running ?? new Promise((resolve) => setTimeout(resolve, 1)));
    }
  };
  const timer = setInterval(run, POLL_MS);
  timer.unref();
  return {
    wake: () => {
      if (closed) return;
      soon ??= setTimeout(() => {
        soon = undefined;
        run();
      }, WAKE_SPREAD_MS * fraction(random)).unref();
    },
    deliverDue: async () => {
      run();
      await settled();
    },
    close: async () => {
      closed = true;
      clearInterval(timer);
      clearTimeout(soon);
      await Promise.race([
        settled(),
        new Promise((resolve) => setTimeout(resolve, CLOSE_WAIT_MS).unref()),
      ]);
      for (const transport of deps.transports) transport.close();
    },
  };
}

async function deliver<Message>(
  deps: CourierDeps<Message>,
  pace: Pace,
  email: ClaimedEmail,
): Promise<void> {
  const { db, clock, log } = deps;
  try {
    const settlement = await (email.kind === 'real'
      ? attempt(deps, pace, email)
      : pretend(deps, pace, email));
    await settleEmail(db, email.id, settlement, clock.now());
    report(deps, email, settlement);
  } catch (error) {
    log.write(
      'error',
      'outbox.failed',
      'the result of a delivery could not be recorded; the email may be sent twice',
      exceptionFields(error),
    );
  }
}

const NAMES: Readonly<Record<Channel, string>> = { email: 'an email', sms: 'a text message' };

function report<Message>(
  { log, channel }: CourierDeps<Message>,
  email: ClaimedEmail,
  settlement: Settlement,
): void {
  const what = NAMES[channel];
  const about = { letter: email.template, count: email.attempts };
  switch (settlement.outcome) {
    case 'sent':
      return log.write('info', 'letter.sent', `${what} was sent`, about);
    case 'dropped':
      return log.write('info', 'letter.dropped', `${what} without a recipient was dropped`, about);
    case 'later':
      return log.write('warn', 'letter.delayed', settlement.error, about);
    case 'dead':
      log.write(
        'error',
        'letter.dead',
        `${settlement.error}; it was given up. postern outbox list shows it, postern outbox retry sends it again`,
        about,
      );
  }
}

/** A decoy is rendered and composed, takes as long as recent deliveries, and is not sent (E06). */
async function pretend<Message>(
  deps: CourierDeps<Message>,
  pace: Pace,
  email: ClaimedEmail,
): Promise<Settlement> {
  const began = deps.clock.monotonic();
  try {
    await deps.transports[0]?.rehearse(deps.render(email));
  } catch (error) {
    // A decoy has nothing to wait for here.
    if (!(error instanceof DeliveryError)) throw error;
  }
  await pace.keep(deps.clock.monotonic() - began);
  return { outcome: 'dropped' };
}

async function attempt<Message>(
  deps: CourierDeps<Message>,
  pace: Pace,
  email: ClaimedEmail,
): Promise<Settlement> {
  const { transports, clock, random } = deps;
  const content = deps.render(email);
  // No email is delivered after its expiry, however slow a server is.
  const left = Math.max(1, Math.min(email.expiresAt - clock.now(), LEASE_MS));
  const signal = AbortSignal.timeout(left);
  const errors: DeliveryError[] = [];
  for (const transport of transports) {
    try {
      const began = clock.monotonic();
      await transport.send(content, signal);
      pace.note(clock.monotonic() - began);
      return { outcome: 'sent' };
    } catch (error) {
      errors.push(
        error instanceof DeliveryError
          ? error
          : new DeliveryError(`${transport.name}: an unexpected error`, 'transient', {
              cause: error,
            }),
      );
    }
  }
  const error =
    errors
      .map(({ message }) => message)
      .join('; ')
      .slice(0, 500) || 'no transport is configured';
  if (errors.length > 0 && errors.every(({ isPermanent }) => isPermanent))
    return { outcome: 'dead', error };
  if (email.attempts >= MAX_ATTEMPTS) return { outcome: 'dead', error };
  return { outcome: 'later', nextAt: clock.now() + waitAfter(email.attempts, random), error };
}
