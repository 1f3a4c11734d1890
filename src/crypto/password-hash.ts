/**
 * Password hashing: argon2id in worker threads (hash-lanes.ts) behind a bounded, fair queue. Load
 * beyond the queue is refused before any work (G5). What a lane computes is planned in hash-plan.ts,
 * where every comparison takes the usual time (E01, E06). The pepper is argon2's secret input (RFC
 * 9106 §3.1); the stored hash names it, so that peppers can rotate.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9106
 */
import { availableParallelism } from 'node:os';
import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/id.ts';
import { Refusal } from '../refusal.ts';
import { createFairQueue } from './fair-queue.ts';
import type { Place } from './fair-queue.ts';
import { createLanes, handful } from './hash-lanes.ts';
import type { LaneJob, LaneReply } from './hash-lanes.ts';
import { createHashPlan } from './hash-plan.ts';
import type { StoredRefusal } from './hash-plan.ts';
import { formatWrapped } from './wrapped-hash.ts';
import type { HashContext, HashKind, PasswordHasher, Rejection } from './password-hasher.ts';
import type { Argon2Cost } from './phc.ts';

export interface PasswordHasherOptions extends Argon2Cost {
  /** Largest number of worker threads; 0 means one per core. */
  threads: number;
  /** Maximum number of waiting entries; running ones are not counted. */
  queueLength: number;
  /** Maximum number of waiting entries per account. Default: a quarter of the queue, at least 8. */
  queueLengthPerAccount?: number;
  /** Longest wait in milliseconds before an entry is refused. */
  deadlineMs: number;
  /** A secret kept apart from the database (N4); at least 16 bytes of UTF-8. */
  pepper?: string;
  /** Peppers that still verify; their hashes are replaced at the next successful sign-in. */
  previousPeppers?: readonly string[];
  clock: Pick<Clock, 'monotonic'>;
  random: Random;
  /** Location of hash-lane.mjs. Default: beside this module. */
  laneUrl?: URL;
  /** Called after each computation, with times in milliseconds; for metrics. */
  onDone?: (done: { kind: HashKind; waitMs: number; runMs: number }) => void;
  /** Called for a stored hash that was refused (P08); for the log. Contains nothing of the hash. */
  onRefused?: (reason: StoredRefusal) => void;
}

export type { StoredRefusal } from './hash-plan.ts';
interface Entry {
  kind: HashKind;
  job: LaneJob;
  enqueuedAt: number;
  deadline: number;
  resolve: (reply: LaneReply) => void;
  reject: (error: unknown) => void;
  /** Removes the abort listener. */
  detach: () => void;
}

/**
 * Returns the hasher; its lanes start when there is work, or by `ready`.
 *
 * @throws RangeError for a cost that argon2 or phc.ts does not take, or a pepper that is too short
 */
export function createPasswordHasher(options: PasswordHasherOptions): PasswordHasher {
  const { clock, random, deadlineMs, queueLength } = options;
  const plan = createHashPlan({
    cost: { memoryKiB: options.memoryKiB, passes: options.passes, lanes: options.lanes },
    pepper: options.pepper,
    previousPeppers: options.previousPeppers ?? [],
    random,
    onRefused: (reason) => options.onRefused?.(reason),
  });
  const threads = options.threads === 0 ? availableParallelism() : options.threads;
  const queue = createFairQueue<Entry>(
    queueLength,
    options.queueLengthPerAccount ?? Math.max(8, Math.ceil(queueLength / 4)),
  );
  const laneUrl = options.laneUrl ?? new URL('./hash-lane.mjs', import.meta.url);
  const lanes = createLanes({ threads, laneUrl, onFree: dispatch });
  const rejectedBy: Record<Rejection, number> = {
    queue_full: 0,
    account_full: 0,
    deadline: 0,
    closed: 0,
  };
  let isClosed = false;
  let timer: NodeJS.Timeout | undefined;
  /** Moving average of a computation's duration, for Retry-After. */
  let usualMs = 20;

  function backlogMs(): number {
    return (queue.depth / threads) * usualMs;
  }

  function overloaded(reason: Rejection): Refusal {
    rejectedBy[reason] += 1;
    return new Refusal('overloaded', {
      retryAfterSeconds: Math.max(1, Math.ceil(backlogMs() / 1000)),
      cause: new Error(`hash queue: ${reason}`),
    });
  }

  function enqueue(kind: HashKind, job: LaneJob, ctx: HashContext): Promise<LaneReply> {
    return new Promise((resolve, reject) => {
      ctx.signal?.throwIfAborted();
      expire();
      if (isClosed) throw overloaded('closed');
      const now = clock.monotonic();
      const entry: Entry = {
        kind,
        job,
        enqueuedAt: now,
        deadline: now + deadlineMs,
        resolve,
        reject,
        detach: () => undefined,
      };
      if (queue.depth === 0 && lanes.hasFree) {
        start([entry]);
        return;
      }
      const place = queue.push(ctx, entry, ({ item }) => {
        item.detach();
        item.reject(overloaded('queue_full'));
      });
      if (typeof place === 'string') throw overloaded(place);
      watch(ctx.signal, place);
      dispatch();
      timer ??= setTimeout(onTimer, deadlineMs).unref();
    });
  }

  function watch(signal: AbortSignal | undefined, place: Place<Entry>): void {
    if (signal === undefined) return;
    const abandon = (): void => {
      queue.remove(place);
      place.item.reject(signal.reason);
    };
    signal.addEventListener('abort', abandon, { once: true });
    place.item.detach = () => signal.removeEventListener('abort', abandon);
  }

  /** Gives entries to a free lane. */
  function start(entries: readonly Entry[]): void {
    for (const entry of entries) entry.detach();
    const startedAt = clock.monotonic();
    lanes.run(entries.map(({ job }) => job)).then(
      (replies) => {
        const runMs = (clock.monotonic() - startedAt) / entries.length;
        usualMs += (runMs - usualMs) / 16;
        entries.forEach((entry, at) => {
          const reply = replies[at];
          if (reply === undefined || reply.error !== null)
            return entry.reject(new Error(`argon2 failed: ${reply?.error ?? 'no reply'}`));
          entry.resolve(reply);
          options.onDone?.({ kind: entry.kind, waitMs: startedAt - entry.enqueuedAt, runMs });
        });
      },
      (error: unknown) => entries.forEach(({ reject }) => reject(error)),
    );
  }

  function dispatch(): void {
    expire();
    while (lanes.hasFree) {
      const entries = Array.from({ length: handful(queue.depth / threads, usualMs) }, () =>
        queue.next(),
      ).filter((entry) => entry !== undefined);
      if (entries.length === 0) return;
      start(entries);
    }
  }

  /**
   * Refuses entries whose deadline has passed. All have the same deadline, so the oldest come
   * first.
   */
  function expire(): void {
    const now = clock.monotonic();
    for (const place of queue.byAge()) {
      if (place.item.deadline > now) return;
      queue.remove(place);
      place.item.detach();
      place.item.reject(overloaded('deadline'));
    }
  }

  function onTimer(): void {
    timer = undefined;
    expire();
    for (const { item } of queue.byAge()) {
      timer = setTimeout(onTimer, Math.max(1, item.deadline - clock.monotonic())).unref();
      return;
    }
  }

  async function hash(password: string, ctx: HashContext): Promise<string> {
    if (!password.isWellFormed()) throw new TypeError('a password to hash is well-formed');
    const job = plan.toHash(password);
    const { made } = await enqueue('hash', job, ctx);
    if (made === null) throw new Error('a hash lane made nothing');
    return plan.format(job.make, made);
  }

  return {
    hash,

    refusalOf(text) {
      const adoption = plan.toAdopt(text);
      return adoption.kind === 'refuse' ? adoption.reason : null;
    },

    async adopt(text, ctx) {
      const adoption = plan.toAdopt(text);
      if (adoption.kind === 'refuse') throw new TypeError(`a hash to adopt: ${adoption.reason}`);
      if (adoption.kind === 'keep') return text;
      const outer = await hash(adoption.digits, ctx);
      return formatWrapped({ inner: adoption.inner, outer });
    },

    async verify(stored, password, ctx) {
      const { job, isReal } = plan.toCheck(stored, password);
      const { ok, made } = await enqueue('verify', job, ctx);
      if (!isReal || !ok) return { ok: false, rehash: null };
      const { make } = job;
      return { ok, rehash: make !== null && made !== null ? plan.format(make, made) : null };
    },

    demandRoom: (ctx) => {
      expire();
      if (isClosed) throw overloaded('closed');
      const refused = lanes.hasFree ? null : queue.refusal(ctx);
      if (refused !== null) throw overloaded(refused);
    },

    stats: () => ({
      depth: queue.depth,
      running: lanes.running,
      rejected: Object.values(rejectedBy).reduce((sum, n) => sum + n, 0),
      rejectedBy: { ...rejectedBy },
    }),

    get backlogMs() {
      return backlogMs();
    },

    ready: (count = threads) => lanes.ready(Math.min(count, threads)),

    async close() {
      isClosed = true;
      clearTimeout(timer);
      for (const place of queue.byAge()) {
        queue.remove(place);
        place.item.detach();
        place.item.reject(overloaded('closed'));
      }
      await lanes.close();
    },
  };
}
