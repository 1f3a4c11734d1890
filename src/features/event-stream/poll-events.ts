/**
 * A receiver fetches its events and says which ones it has (RFC 8936): those it has not
 * acknowledged come again, in the order in which they happened.
 *
 * @see https://www.rfc-editor.org/rfc/rfc8936#section-2
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Context } from '../../core/context.ts';
import type { Kernel } from '../../core/kernel.ts';
import type { Statement } from '../../db/database.ts';
import type { EventTokens } from './event-token.ts';
import { toldOf } from './event-types.ts';
import { isTold } from './push-events.ts';
import type { PushedStream } from './push-events.ts';
import type { RecordedEvent, RecordedEvents } from './recorded-event.ts';
import {
  acknowledge,
  acknowledged,
  advanceStream,
  buryEvent,
  cursorOf,
  forgetLetter,
  lettersToRetry,
} from './store.ts';

export interface PollDeps extends Pick<Kernel, 'db' | 'commit' | 'clock'> {
  readonly recorded: RecordedEvents;
  readonly tokens: EventTokens;
}

export interface Poll {
  readonly maxEvents: number;
  readonly returnImmediately: boolean;
  /** `jti` of events that the receiver has. */
  readonly ack: readonly string[];
  /** `jti` of events that it does not want, and why. */
  readonly refused: ReadonlyMap<string, string>;
}

export interface Polled {
  /** By `jti`, in order. */
  readonly tokens: ReadonlyMap<string, string>;
  readonly hasMore: boolean;
}

/** Rows behind the cursor among which a receiver may acknowledge out of order. */
const WINDOW = 1_000;
const LOOK_MS = 200;
/** How long a poll without events waits, and how many may wait at once. */
const WAIT_MS = 10_000;
const MAX_WAITING = 32;

interface Open {
  readonly cursor: number;
  readonly rows: readonly RecordedEvent[];
  readonly acks: ReadonlySet<number>;
}

export function createPoll({ db, commit, clock, recorded, tokens }: PollDeps) {
  let waiting = 0;

  const read = async ({ name }: PushedStream): Promise<Open> => {
    const cursor = (await cursorOf(db, name)) ?? 0;
    return {
      cursor,
      rows: await recorded.after(cursor, WINDOW),
      acks: await acknowledged(db, name),
    };
  };

  /** The statements that settle one event, which the receiver has or does not want. */
  const settled = (
    { name }: PushedStream,
    { seq, id, event }: RecordedEvent,
    poll: Poll,
  ): readonly Statement[] => {
    const error = poll.refused.get(id);
    if (error === undefined) return poll.ack.includes(id) ? [acknowledge(name, seq)] : [];
    const letter = { stream: name, seq, eventId: id, event, error, failedAt: clock.now() };
    return [buryEvent(letter), acknowledge(name, seq)];
  };

  /** Notes what the receiver has and does not want, and moves the stream on. */
  const note = async (stream: PushedStream, { rows, acks }: Open, poll: Poll): Promise<void> => {
    const { name } = stream;
    const statements: Statement[] = [];
    const isOpen = (row: RecordedEvent): boolean => {
      const own = settled(stream, row, poll);
      statements.push(...own);
      return own.length === 0 && !acks.has(row.seq) && isTold(stream, row) !== undefined;
    };
    const open = new Set(rows.filter(isOpen));
    const stuck = rows.findIndex((row) => open.has(row));
    const reached = rows.slice(0, stuck < 0 ? rows.length : stuck).at(-1)?.seq;
    if (reached !== undefined) statements.push(...advanceStream(name, reached));
    for (const { seq, eventId } of await lettersToRetry(db, name, WINDOW))
      if (poll.ack.includes(eventId)) statements.push(forgetLetter(name, seq));
    if (statements.length > 0) await commit.inAnySession(statements);
  };

  /** Dead letters that an operator wants sent again. */
  const retried = async (stream: PushedStream, limit: number): Promise<[string, string][]> => {
    const found: [string, string][] = [];
    for (const { seq } of await lettersToRetry(db, stream.name, limit)) {
      const [event] = await recorded.after(seq - 1, 1);
      const told = event?.seq === seq ? toldOf(event) : undefined;
      if (event !== undefined && told !== undefined)
        found.push([event.id, tokens(stream.audience, event, told)]);
    }
    return found;
  };

  const collect = async (stream: PushedStream, maxEvents: number): Promise<Polled> => {
    const found = new Map(await retried(stream, maxEvents));
    const { rows, acks } = await read(stream);
    const waiting = rows.flatMap((event) => {
      const told = acks.has(event.seq) ? undefined : isTold(stream, event);
      return told === undefined ? [] : [{ event, told }];
    });
    const room = maxEvents - found.size;
    for (const { event, told } of waiting.slice(0, room))
      found.set(event.id, tokens(stream.audience, event, told));
    return { tokens: found, hasMore: waiting.length > room };
  };

  const waitFor = async (
    stream: PushedStream,
    maxEvents: number,
    signal: AbortSignal,
  ): Promise<Polled> => {
    const until = clock.monotonic() + WAIT_MS;
    const none: Polled = { tokens: new Map(), hasMore: false };
    let seen = -1;
    for (;;) {
      // Reading a window costs milliseconds; whether there is anything new costs next to nothing.
      const last = await recorded.last();
      const polled = last === seen ? none : await collect(stream, maxEvents);
      seen = last;
      const isOver = signal.aborted || clock.monotonic() >= until;
      if (polled.tokens.size > 0 || isOver) return polled;
      await pause(LOOK_MS, undefined, { signal, ref: false }).catch(() => undefined);
    }
  };

  return async (context: Context, stream: PushedStream, poll: Poll): Promise<Polled> => {
    await note(stream, await read(stream), poll);
    if (poll.maxEvents === 0) return { tokens: new Map(), hasMore: true };
    if (poll.returnImmediately || waiting >= MAX_WAITING) return collect(stream, poll.maxEvents);
    waiting++;
    try {
      return await waitFor(stream, poll.maxEvents, context.signal);
    } finally {
      waiting--;
    }
  };
}
