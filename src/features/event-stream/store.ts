/** How far each stream has come, and what its receiver refused. */
import { and, asc, eq, gt, inArray, isNotNull, lte, or, sql } from 'drizzle-orm';
import type { SQL } from 'drizzle-orm';
import type { Sweep } from '../../core/sweep.ts';
import type { Database, Statement } from '../../db/database.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import { eventAck, eventDeadLetter, eventStream } from './tables.ts';

type Reader = Pick<Database, 'read'>;

const isStream = eq(eventStream.name, given('name'));

const insert = prepare(
  query
    .insert(eventStream)
    .values({ name: sql.placeholder('name'), cursor: sql.placeholder('cursor') })
    .onConflictDoNothing(),
);

/** The statement that begins a stream at a place; one that was begun stays where it is. */
export function beginStream(name: string, cursor: number): Statement {
  return insert({ name, cursor });
}

const one = prepare(
  query.select({ cursor: eventStream.cursor }).from(eventStream).where(isStream).limit(1),
);

/** Up to where a stream was delivered; null before it was begun. */
export async function cursorOf(db: Reader, name: string): Promise<number | null> {
  return (await db.read(one({ name })))[0]?.cursor ?? null;
}

const lease = prepare(
  query
    .update(eventStream)
    .set({ leaseOwner: given('owner'), leaseUntil: given('until') })
    .where(
      and(
        isStream,
        or(eq(eventStream.leaseOwner, given('owner')), lte(eventStream.leaseUntil, given('now'))),
      ),
    )
    .returning({ cursor: eventStream.cursor }),
);

export interface Lease {
  readonly name: string;
  readonly owner: string;
  readonly now: number;
  readonly until: number;
}

/** The statement that takes or renews a lease; it returns no row while another process has it. */
export function takeLease(values: Lease): Statement<{ readonly cursor: number }> {
  return lease({ ...values });
}

const release = prepare(
  query
    .update(eventStream)
    .set({ leaseUntil: 0 })
    .where(and(isStream, eq(eventStream.leaseOwner, given('owner')))),
);

/** The statement that ends a lease, so that the next process does not wait for its end. */
export function releaseLease(name: string, owner: string): Statement {
  return release({ name, owner });
}

const advance = prepare(
  query
    .update(eventStream)
    .set({ cursor: sql`max(${eventStream.cursor}, ${given('cursor')})` })
    .where(isStream),
);
const forgetAcks = prepare(
  query
    .delete(eventAck)
    .where(and(eq(eventAck.stream, given('name')), lte(eventAck.seq, given('cursor')))),
);

/** The statements that move a stream on. */
export function advanceStream(name: string, cursor: number): readonly Statement[] {
  return [advance({ name, cursor }), forgetAcks({ name, cursor })];
}

const ack = prepare(
  query
    .insert(eventAck)
    .values({ stream: sql.placeholder('stream'), seq: sql.placeholder('seq') })
    .onConflictDoNothing(),
);

/** The statement that notes an event as received. */
export function acknowledge(stream: string, seq: number): Statement {
  return ack({ stream, seq });
}

const acks = prepare(
  query
    .select({ seq: eventAck.seq })
    .from(eventAck)
    .where(eq(eventAck.stream, given('stream'))),
);

export async function acknowledged(db: Reader, stream: string): Promise<ReadonlySet<number>> {
  return new Set((await db.read(acks({ stream }))).map(({ seq }) => seq));
}

export type DeadLetter = Readonly<typeof eventDeadLetter.$inferSelect>;

const isLetter = and(
  eq(eventDeadLetter.stream, given('stream')),
  eq(eventDeadLetter.seq, given('seq')),
);

const bury = prepare(
  query
    .insert(eventDeadLetter)
    .values({
      stream: sql.placeholder('stream'),
      seq: sql.placeholder('seq'),
      eventId: sql.placeholder('eventId'),
      event: sql.placeholder('event'),
      error: sql.placeholder('error'),
      failedAt: sql.placeholder('failedAt'),
    })
    .onConflictDoUpdate({
      target: [eventDeadLetter.stream, eventDeadLetter.seq],
      set: { error: sql`excluded.error`, failedAt: sql`excluded.failed_at`, retryAt: sql`NULL` },
    }),
);

/** The statement that keeps an event that its receiver did not take. */
export function buryEvent(letter: Omit<DeadLetter, 'retryAt'>): Statement {
  return bury({ ...letter });
}

const revive = prepare(query.delete(eventDeadLetter).where(isLetter));

/** The statement that forgets a dead letter: it was taken after all. */
export function forgetLetter(stream: string, seq: number): Statement {
  return revive({ stream, seq });
}

const wanted = prepare(
  query
    .select()
    .from(eventDeadLetter)
    .where(and(eq(eventDeadLetter.stream, given('stream')), isNotNull(eventDeadLetter.retryAt)))
    .orderBy(asc(eventDeadLetter.seq))
    .limit(sql.placeholder('limit')),
);

/** Dead letters that an operator wants sent again. */
export async function lettersToRetry(
  db: Reader,
  stream: string,
  limit: number,
): Promise<readonly DeadLetter[]> {
  return db.read(wanted({ stream, limit }));
}

const letters = prepare(
  query
    .select()
    .from(eventDeadLetter)
    .orderBy(asc(eventDeadLetter.stream), asc(eventDeadLetter.seq)),
);

export async function listDeadLetters(db: Reader): Promise<readonly DeadLetter[]> {
  return db.read(letters());
}

const wantedAgain = (where: SQL) =>
  prepare(
    query
      .update(eventDeadLetter)
      .set({ retryAt: given('now') })
      .where(where)
      .returning({ seq: eventDeadLetter.seq }),
  );
const retryOne = wantedAgain(eq(eventDeadLetter.eventId, given('id')));
const retryEvery = wantedAgain(gt(eventDeadLetter.failedAt, 0));

/** The statement that has one dead letter sent again, or all of them when `id` is empty. */
export function retryLetters(id: string, now: number): Statement<{ readonly seq: number }> {
  return id === '' ? retryEvery({ now }) : retryOne({ id, now });
}

/** Dead letters are kept for as long as somebody may still look into them. */
export const LETTERS_KEPT_MS = 30 * 86_400_000;

export const letterSweep: Sweep = prepare(
  query
    .delete(eventDeadLetter)
    .where(
      inArray(
        sql`rowid`,
        query
          .select({ rowid: sql`rowid` })
          .from(eventDeadLetter)
          .where(lte(eventDeadLetter.failedAt, given('before')))
          .limit(sql.placeholder('batch')),
      ),
    )
    .returning({ seq: eventDeadLetter.seq }),
);
