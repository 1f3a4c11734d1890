/**
 * Pushes the events of one stream: at least once each, those of a user in their order, up to eight
 * users at a time. The place in the audit log moves on only past what was taken or given up, so
 * that a receiver that is down loses nothing. One process at a time pushes, by a lease.
 */
import type { Kernel } from '../../core/kernel.ts';
import type { EventTokens } from './event-token.ts';
import { toldOf } from './event-types.ts';
import type { ToldEvent } from './event-types.ts';
import type { Posted } from './post-event.ts';
import type { RecordedEvent, RecordedEvents } from './recorded-event.ts';
import {
  advanceStream,
  buryEvent,
  cursorOf,
  forgetLetter,
  lettersToRetry,
  releaseLease,
  takeLease,
} from './store.ts';

export interface PushedStream {
  readonly name: string;
  readonly audience: string;
  /** Of what is told; empty for everything. */
  readonly events: readonly string[];
}

export interface PushDeps extends Pick<Kernel, 'db' | 'commit' | 'clock' | 'log'> {
  readonly recorded: RecordedEvents;
  readonly tokens: EventTokens;
  /** A name for the lease that no other process has. */
  readonly owner: string;
  readonly post: (token: string, signal: AbortSignal) => Promise<Posted>;
}

/** Events that are looked at together, and users whose events are under way at once. */
const WINDOW = 64;
const AT_ONCE = 8;
const LEASE_MS = 30_000;
/** No event is begun after this: the last one has to end before the lease does. */
const PASS_MS = 15_000;
/** An event that fails while others of its stream get through is given up after so many times. */
const MAX_TRIES = 10;
/** One that fails while none gets through is given up after this. */
const GIVE_UP_MS = 24 * 3_600_000;

export interface Pass {
  /** Events that were taken. */
  readonly taken: number;
  /** Events that failed, and are tried again later. */
  readonly failed: number;
  /** Whether there may be more to do at once. */
  readonly isWhole: boolean;
}

/** Until when a pass goes on, in monotonic time. */
interface Span {
  readonly signal: AbortSignal;
  readonly endsAt: number;
}

const IDLE: Pass = { taken: 0, failed: 0, isWhole: true };

interface Told {
  readonly event: RecordedEvent;
  readonly told: ToldEvent;
}

export interface Pusher {
  /** One pass over what waits. */
  pass(signal: AbortSignal): Promise<Pass>;
  /** Lets the next process go on at once. */
  release(): Promise<void>;
}

/** What the stream is told of an event. */
export function isTold({ events }: Pick<PushedStream, 'events'>, event: RecordedEvent) {
  const told = toldOf(event);
  return told !== undefined && (events.length === 0 || events.includes(told.name))
    ? told
    : undefined;
}

export function createPusher(deps: PushDeps, stream: PushedStream): Pusher {
  const { db, clock, log, recorded, tokens, owner, post } = deps;
  const write = deps.commit.inAnySession;
  const { name, audience } = stream;
  /** Taken, but behind one that is not: this process does not send them again. */
  const done = new Set<number>();
  const tries = new Map<number, { count: number; readonly since: number }>();

  const bury = async ({ event }: Told, error: string): Promise<void> => {
    const letter = { stream: name, seq: event.seq, eventId: event.id, event: event.event };
    await write([buryEvent({ ...letter, error, failedAt: clock.now() })]);
    log.write('error', 'event.dead', `an event of the stream ${name} was given up: ${error}`, {
      reason: event.event,
    });
  };

  const settle = (seq: number): void => {
    done.add(seq);
    tries.delete(seq);
  };

  /** Sends a user's events in order, up to the first that fails. @returns how many were taken */
  const sendInOrder = async (
    list: readonly Told[],
    failed: { readonly told: Told; readonly error: string }[],
    { signal, endsAt }: Span,
  ): Promise<number> => {
    let taken = 0;
    for (const one of list) {
      if (clock.monotonic() >= endsAt) return taken;
      const posted = await post(tokens(audience, one.event, one.told), signal);
      if (signal.aborted) return taken;
      if (posted.kind === 'failed') {
        failed.push({ told: one, error: posted.error });
        return taken;
      }
      if (posted.kind === 'refused') await bury(one, posted.error);
      else taken++;
      settle(one.event.seq);
    }
    return taken;
  };

  const sendAll = async (groups: readonly (readonly Told[])[], span: Span) => {
    const failed: { readonly told: Told; readonly error: string }[] = [];
    const waiting = [...groups];
    let taken = 0;
    const work = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
        taken += await sendInOrder(next, failed, span);
    };
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, groups.length) }, work));
    return { taken, failed };
  };

  /** Counts failures, and gives up what failed for too long. @returns how many are tried again */
  const judge = async (
    failed: readonly { readonly told: Told; readonly error: string }[],
    isAlive: boolean,
  ): Promise<number> => {
    const now = clock.now();
    let left = 0;
    for (const { told, error } of failed) {
      const { seq } = told.event;
      const tried = tries.get(seq) ?? { count: 0, since: now };
      if (isAlive) tried.count++;
      tries.set(seq, tried);
      if (tried.count >= MAX_TRIES || now - tried.since >= GIVE_UP_MS) {
        await bury(told, error);
        settle(seq);
      } else left++;
    }
    return left;
  };

  /** Sends one dead letter again. @returns whether it was taken */
  const retryLetter = async (seq: number, signal: AbortSignal): Promise<boolean> => {
    const [event] = await recorded.after(seq - 1, 1);
    const told = event?.seq === seq ? toldOf(event) : undefined;
    if (event === undefined || told === undefined) {
      await write([forgetLetter(name, seq)]);
      return false;
    }
    const posted = await post(tokens(audience, event, told), signal);
    if (signal.aborted) return false;
    if (posted.kind === 'taken') await write([forgetLetter(name, seq)]);
    else await bury({ event, told }, posted.error);
    return posted.kind === 'taken';
  };

  const retryAll = async ({ signal, endsAt }: Span): Promise<number> => {
    let taken = 0;
    for (const { seq } of await lettersToRetry(db, name, WINDOW)) {
      if (clock.monotonic() >= endsAt) return taken;
      if (await retryLetter(seq, signal)) taken++;
    }
    return taken;
  };

  const hasWork = async (): Promise<boolean> => {
    const cursor = await cursorOf(db, name);
    if (cursor !== null && cursor < (await recorded.last())) return true;
    return (await lettersToRetry(db, name, 1)).length > 0;
  };

  /** What is to be sent of some rows, by user and in order; the others are done. */
  const groupsOf = (rows: readonly RecordedEvent[]): readonly (readonly Told[])[] => {
    const groups = new Map<string, Told[]>();
    for (const event of rows) {
      const told = isTold(stream, event);
      if (told === undefined) done.add(event.seq);
      else if (!done.has(event.seq)) {
        const user = event.userId ?? '';
        groups.set(user, [...(groups.get(user) ?? []), { event, told }]);
      }
    }
    return [...groups.values()];
  };

  const moveOn = async (rows: readonly RecordedEvent[]): Promise<void> => {
    const stuck = rows.findIndex(({ seq }) => !done.has(seq));
    const reached = rows.slice(0, stuck < 0 ? rows.length : stuck).at(-1)?.seq;
    if (reached === undefined) return;
    await write(advanceStream(name, reached));
    for (const seq of done) if (seq <= reached) done.delete(seq);
  };

  return {
    release: async () => void (await write([releaseLease(name, owner)])),
    pass: async (signal) => {
      if (!(await hasWork())) return IDLE;
      const now = clock.now();
      const lease = takeLease({ name, owner, now, until: now + LEASE_MS });
      const [leased] = (await write([lease])).rowsOf(lease);
      if (leased === undefined) return IDLE;
      const span = { signal, endsAt: clock.monotonic() + PASS_MS };
      const retried = await retryAll(span);
      const rows = await recorded.after(leased.cursor, WINDOW);
      const { taken, failed } = await sendAll(groupsOf(rows), span);
      const left = await judge(failed, taken > 0);
      await moveOn(rows);
      const isWhole = rows.length < WINDOW || signal.aborted;
      return { taken: taken + retried, failed: left, isWhole };
    },
  };
}
