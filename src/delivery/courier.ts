/**
 * Sends the outbox's emails: at least once, by the first transport that works; otherwise again
 * later, with growing and jittered waits, until a bounded number of attempts is used up. Requests
 * never wait for it (G7).
 */
import type { Database } from '../db/database.ts';
import type { Sealer } from '../crypto/seal.ts';
import { claimEmails, hasDueEmails, settleEmail } from '../core/email/outbox.ts';
import type { ClaimedEmail, Settlement } from '../core/email/outbox.ts';
import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/id.ts';
import { exceptionFields } from '../lib/log.ts';
import type { Log } from '../lib/log.ts';
import { renderEmail } from './templates.ts';
import type { FindTemplate } from './templates.ts';
import { DeliveryError } from './transport.ts';
import type { Transport } from './transport.ts';

export interface CourierDeps {
  readonly db: Database;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly transports: readonly Transport[];
  readonly findTemplate: FindTemplate;
  readonly service: string;
}

export interface Courier {
  /** Makes it look now. */
  wake(): void;
  /** Sends what is due; resolves when nothing more is due. */
  deliverDue(): Promise<void>;
  /** Lets running deliveries finish, within a limit; what is cut off is sent again later. */
  close(): Promise<void>;
}

const POLL_MS = 1_000;
const BATCH = 8;
/**
 * Longer than all transports together take for one email, because a batch is sent in parallel. An
 * email of a killed process waits this long.
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
  return Math.round(base * (0.75 + (random.bytes(2).readUInt16BE(0) / 65_536) * 0.5));
}

export function createCourier(deps: CourierDeps): Courier {
  const { db, clock, log } = deps;
  let running: Promise<void> | undefined;
  let again = false;
  let closed = false;

  const round = async (): Promise<void> => {
    for (;;) {
      if (closed || !(await hasDueEmails(db, clock.now()))) return;
      const emails = await claimEmails(db, deps.sealer, {
        now: clock.now(),
        leaseMs: LEASE_MS,
        batch: BATCH,
      });
      await Promise.all(emails.map((email) => deliver(deps, email)));
      if (emails.length < BATCH && !again) return;
      again = false;
    }
  };
  const wake = (): void => {
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
  const timer = setInterval(wake, POLL_MS);
  timer.unref();
  return {
    wake,
    deliverDue: async () => {
      wake();
      while (running !== undefined) await running;
    },
    close: async () => {
      closed = true;
      clearInterval(timer);
      if (running !== undefined)
        await Promise.race([
          running,
          new Promise((resolve) => setTimeout(resolve, CLOSE_WAIT_MS).unref()),
        ]);
      for (const transport of deps.transports) transport.close();
    },
  };
}

async function deliver(deps: CourierDeps, email: ClaimedEmail): Promise<void> {
  const { db, clock, log } = deps;
  const settlement = await attempt(deps, email);
  try {
    await settleEmail(db, email.id, settlement, clock.now());
  } catch (error) {
    log.write(
      'error',
      'outbox.failed',
      'the result of a delivery could not be recorded; the email may be sent twice',
      exceptionFields(error),
    );
    return;
  }
  const about = { letter: email.template, count: email.attempts };
  if (settlement.outcome === 'sent') log.write('info', 'letter.sent', 'an email was sent', about);
  else if (settlement.outcome === 'later')
    log.write('warn', 'letter.delayed', settlement.error, about);
  else
    log.write(
      'error',
      'letter.dead',
      `${settlement.error}; it was given up. postern outbox list shows it, postern outbox retry sends it again`,
      about,
    );
}

async function attempt(deps: CourierDeps, email: ClaimedEmail): Promise<Settlement> {
  const { transports, clock, random } = deps;
  const { id, recipient } = email;
  const rendered = renderEmail(email.template, email.values, deps.service, deps.findTemplate);
  const errors: DeliveryError[] = [];
  for (const transport of transports) {
    try {
      await transport.send({
        id,
        template: email.template,
        to: recipient,
        values: email.values,
        ...rendered,
      });
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
      .slice(0, 500) || 'there is no transport';
  if (errors.length > 0 && errors.every(({ isPermanent }) => isPermanent))
    return { outcome: 'dead', error };
  if (email.attempts >= MAX_ATTEMPTS) return { outcome: 'dead', error };
  return { outcome: 'later', nextAt: clock.now() + waitAfter(email.attempts, random), error };
}
