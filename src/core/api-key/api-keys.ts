/**
 * Authenticates API keys. Every invalid key (unknown, wrong, expired, revoked, malformed) gets the
 * same answer. A cached row is used only while no other process has written to the database, so a
 * revoked key is refused from its next request on in every process. The ids of all keys are cached
 * the same way, so that made-up ids, which come before any limit, cost no database reads (A08).
 */
import { LRUCache } from 'lru-cache';
import type { Database } from '../../db/database.ts';
import type { Clock } from '../../lib/clock.ts';
import { coalesce } from '../../lib/coalesce.ts';
import { exceptionFields } from '../../lib/log.ts';
import type { Log } from '../../lib/log.ts';
import { Refusal } from '../../refusal.ts';
import { networkOf, widerNetworkOf } from '../requester.ts';
import type { Requester } from '../requester.ts';
import { apiKeyIds, findApiKey, isLiveKey, noteApiKeyUse } from './api-key.ts';
import type { ApiKey } from './api-key.ts';
import type { ApiKeyScope } from './scope.ts';
import { isApiKeyForm, isApiKeySecret } from './secret.ts';
import type { PresentedApiKey } from './secret.ts';

/** The key that a route requires: one with a scope, or any valid one. */
export type WantedScope = ApiKeyScope | 'any';

export interface ApiKeys {
  /**
   * The key that a request presents.
   *
   * @param presented null when there was none, or it could not be parsed
   * @throws {Refusal} invalid_api_key, insufficient_scope, too_many_attempts
   */
  authenticate(
    requester: Requester,
    presented: PresentedApiKey | null,
    wanted: WantedScope,
  ): Promise<ApiKey>;
  /** The key of an id, if it is valid. */
  find(id: string): Promise<ApiKey | null>;
  /** Makes the next request read its key from the database. */
  forget(): void;
  /** Resolves when the uses recorded so far are written. */
  settled(): Promise<void>;
}

export interface ApiKeysDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
}

/** The use of a key is written at most this often. */
const USE_INTERVAL_MS = 60_000;

/**
 * Wrong keys per minute from one network that are answered and logged one by one; an IPv6 /48 with
 * all its networks may send this many times more. Further ones get 429 and no log line. A correct
 * key is always accepted: 256 bits can't be guessed, and failures of one service must not lock out
 * another on the same network (L02).
 */
const MAX_FAILURES = 20;
const WIDER_SHARES = 16;
const FAILURE_WINDOW_MS = 60_000;
const MAX_NETWORKS = 10_000;

const MAX_KEPT = 1_000;

/** A failed write is retried after this. */
const RETRY_MS = 1_000;

type Found = NonNullable<Awaited<ReturnType<typeof findApiKey>>>;

interface Failures {
  count: number;
  readonly until: number;
}

export function createApiKeys({ db, clock, log }: ApiKeysDeps): ApiKeys {
  const failures = new LRUCache<string, Failures>({ max: MAX_NETWORKS });
  /** The last use that this process wrote, and when it last tried to, in monotonic time. */
  const written = new LRUCache<string, { usedAt: number; readonly triedAt: number }>({
    max: MAX_KEPT,
  });
  const kept = new LRUCache<string, Found>({ max: MAX_KEPT });
  const readIds = coalesce(() => apiKeyIds(db));
  let ids: ReadonlySet<string> | undefined;
  let mark = Number.NaN;
  let forgotten = 0;
  const writing = new Set<Promise<void>>();

  /** Counts a failure of a network. @returns how many more are answered, and until when */
  const count = (network: string, limit: number): { left: number; until: number } => {
    const now = clock.monotonic();
    const before = failures.get(network);
    const current =
      before === undefined || before.until <= now
        ? { count: 0, until: now + FAILURE_WINDOW_MS }
        : before;
    current.count++;
    failures.set(network, current);
    return { left: limit - current.count, until: current.until };
  };

  const fail = (requester: Requester, reason: string): Refusal => {
    const wider = widerNetworkOf(requester);
    const counts = [
      count(networkOf(requester), MAX_FAILURES),
      ...(wider === null ? [] : [count(wider, MAX_FAILURES * WIDER_SHARES)]),
    ];
    const left = Math.min(...counts.map((one) => one.left));
    if (left < 0) {
      const until = Math.max(...counts.map((one) => (one.left < 0 ? one.until : 0)));
      return new Refusal('too_many_attempts', {
        retryAfterSeconds: Math.max(1, Math.ceil((until - clock.monotonic()) / 1000)),
      });
    }
    const isLast = left === 0;
    log.write(
      isLast ? 'warn' : 'info',
      'api_key.refused',
      isLast ? 'further wrong API keys of this network are not logged' : 'an API key was refused',
      { request_id: requester.requestId, 'client.address': requester.ip, reason },
    );
    return new Refusal('invalid_api_key');
  };

  /** The answer does not wait for it, because the result does not depend on it. */
  const note = ({ id, lastUsedAt }: ApiKey): void => {
    const now = clock.now();
    const before = written.get(id);
    const usedAt = Math.max(lastUsedAt ?? 0, before?.usedAt ?? 0);
    if (Math.abs(now - usedAt) < USE_INTERVAL_MS) return;
    const triedAt = clock.monotonic();
    if (before !== undefined && before.triedAt + RETRY_MS > triedAt) return;
    const use = { usedAt: now, triedAt };
    written.set(id, use);
    const done = db
      .write([noteApiKeyUse(id, now)])
      .then(
        () => undefined,
        (error: unknown) => {
          use.usedAt = 0;
          log.write('warn', 'api_key.use_unrecorded', 'the use of an API key was not recorded', {
            'api_key.id': id,
            ...exceptionFields(error),
          });
        },
      )
      .finally(() => writing.delete(done));
    writing.add(done);
  };

  const find = async (id: string): Promise<Found | null> => {
    const now = db.changeMark();
    if (now !== mark) {
      kept.clear();
      ids = undefined;
      mark = now;
    }
    const known = kept.get(id);
    if (known !== undefined) return known;
    const before = forgotten;
    const current = ids ?? (await readIds());
    if (now === mark && before === forgotten) ids = current;
    if (!current.has(id)) return null;
    const found = await findApiKey(db, id);
    // Don't cache a row that was revoked while it was being read.
    if (found !== null && now === mark && before === forgotten) kept.set(id, found);
    return found;
  };

  return {
    authenticate: async (requester, presented, wanted) => {
      if (presented === null || !isApiKeyForm(presented)) throw fail(requester, 'malformed');
      const found = await find(presented.id);
      const isRight = isApiKeySecret(presented.secret, found?.secretHash ?? null);
      if (found === null || !isRight) throw fail(requester, 'unknown');
      const { key } = found;
      if (!isLiveKey(key, clock.now())) throw fail(requester, 'revoked or expired');
      note(key);
      if (wanted !== 'any' && !key.scopes.includes(wanted)) {
        log.write('warn', 'api_key.scope_missing', 'an API key was used beyond its scopes', {
          request_id: requester.requestId,
          'client.address': requester.ip,
          'api_key.id': key.id,
          reason: wanted,
        });
        throw new Refusal('insufficient_scope', {
          detail: `The API key lacks the scope ${wanted}.`,
        });
      }
      return key;
    },
    find: async (id) => {
      const found = await find(id);
      return found !== null && isLiveKey(found.key, clock.now()) ? found.key : null;
    },
    forget: () => {
      forgotten++;
      kept.clear();
      ids = undefined;
    },
    settled: async () => void (await Promise.all(writing)),
  };
}
