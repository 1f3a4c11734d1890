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

  /** Notes what the receiver has and does not want, and moves the stream on. */
  const note = async (stream: PushedStream, { rows, acks }: Open, poll: Poll): Promise<void> => {
    const { name } = stream;
    const settled = new Set(acks);
    const statements: Statement[] = [];
    for (const { seq, id, event } of rows) {
      const error = poll.refused.get(id);
      if (error === undefined && !poll.ack.includes(id)) continue;
      if (error !== undefined) {
        const letter = { stream: name, seq, eventId: id, event, error, failedAt: clock.now() };
        statements.push(buryEvent(letter));
      }
      settled.add(seq);
      statements.push(acknowledge(name, seq));
    }
    const stuck = rows.findIndex(
      (row) => !settled.has(row.seq) && isTold(stream, row) !== undefined,
    );
    const reached = rows.slice(0, stuck < 0 ? rows.length : stuck).at(-1)?.seq;
    if (reached !== undefined) statements.push(...advanceStream(name, reached));
    for (const { seq, eventId } of await lettersToRetry(db, name, WINDOW))
      if (poll.ack.includes(eventId)) statements.push(forgetLetter(name, seq));
    if (statements.length > 0) await commit.inAnySession(statements);
  };

  const collect = async (stream: PushedStream, maxEvents: number): Promise<Polled> => {
    const found = new Map<string, string>();
    for (const { seq } of await lettersToRetry(db, stream.name, maxEvents)) {
      const [event] = await recorded.after(seq - 1, 1);
      const told = event?.seq === seq ? toldOf(event) : undefined;
      if (event !== undefined && told !== undefined)
        found.set(event.id, tokens(stream.audience, event, told));
    }
    const { rows, acks } = await read(stream);
    for (const event of rows) {
      const told = acks.has(event.seq) ? undefined : isTold(stream, event);
      if (told === undefined) continue;
      if (found.size >= maxEvents) return { tokens: found, hasMore: true };
      found.set(event.id, tokens(stream.audience, event, told));
    }
    return { tokens: found, hasMore: false };
  };

  const waitFor = async (
    stream: PushedStream,
    maxEvents: number,
    signal: AbortSignal,
  ): Promise<Polled> => {
    const until = clock.monotonic() + WAIT_MS;
    for (;;) {
      const polled = await collect(stream, maxEvents);
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
