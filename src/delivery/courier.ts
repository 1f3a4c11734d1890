/**
 * Takes letters from the outbox and hands them over: at least once, by the first transport that
 * works, again later when none does, with waits that grow and jitter, given up after a bounded
 * number of tries for an operator to see. A slow server changes no answer's time, for nobody waits
 * for it.
 */
import type { Database } from '../db/database.ts';
import type { Sealer } from '../crypto/seal.ts';
import { claimLetters, hasDueLetters, settleLetter } from '../core/email/outbox.ts';
import type { ClaimedLetter, Settlement } from '../core/email/outbox.ts';
import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/id.ts';
import { exceptionFields } from '../lib/log.ts';
import type { Log } from '../lib/log.ts';
import { renderLetter } from './templates.ts';
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
  /** Has it look now. */
  wake(): void;
  /** Delivers what is due; resolves when nothing more is due now. */
  deliverDue(): Promise<void>;
  /** Lets what is under way end, within reason; what is cut off goes out again later. */
  close(): Promise<void>;
}

const POLL_MS = 1_000;
const BATCH = 8;
/**
 * Longer than all transports together take for one letter, since a batch goes out side by side; a
 * letter of a killed process waits so long.
 */
const LEASE_MS = 2 * 60_000;
const FIRST_WAIT_MS = 15_000;
const MAX_WAIT_MS = 30 * 60_000;
export const MAX_ATTEMPTS = 12;
const CLOSE_WAIT_MS = 3_000;

/**
 * The wait after a failed try: doubled each time, bounded, give or take a quarter, so that letters
 * don't come back as one crowd.
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
      if (closed || !(await hasDueLetters(db, clock.now()))) return;
      const letters = await claimLetters(db, deps, clock.now(), LEASE_MS, BATCH);
      await Promise.all(letters.map((letter) => deliver(deps, letter)));
      if (letters.length < BATCH && !again) return;
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
          'the outbox could not be read; it is tried again',
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

async function deliver(deps: CourierDeps, letter: ClaimedLetter): Promise<void> {
  const { db, clock, log } = deps;
  const settlement = await attempt(deps, letter);
  try {
    await settleLetter(db, letter.id, settlement, clock.now());
  } catch (error) {
    log.write(
      'error',
      'outbox.failed',
      'what became of a letter could not be noted; it may go out twice',
      exceptionFields(error),
    );
    return;
  }
  const about = { letter: letter.letter, count: letter.attempts };
  if (settlement.outcome === 'sent')
    log.write('info', 'letter.sent', 'a letter was handed over', about);
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

async function attempt(deps: CourierDeps, letter: ClaimedLetter): Promise<Settlement> {
  const { transports, clock, random } = deps;
  const { id, recipient } = letter;
  const rendered = renderLetter(letter.letter, letter.values, deps.service, deps.findTemplate);
  const errors: DeliveryError[] = [];
  for (const transport of transports) {
    try {
      await transport.send({
        id,
        letter: letter.letter,
        to: recipient,
        values: letter.values,
        ...rendered,
      });
      return { outcome: 'sent' };
    } catch (error) {
      errors.push(
        error instanceof DeliveryError
          ? error
          : new DeliveryError(`${transport.name}: an unexpected error`, false, { cause: error }),
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
  if (letter.attempts >= MAX_ATTEMPTS) return { outcome: 'dead', error };
  return { outcome: 'later', nextAt: clock.now() + waitAfter(letter.attempts, random), error };
}
