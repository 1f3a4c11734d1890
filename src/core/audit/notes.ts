/**
 * Records what makes no commit of its own: refused sign-ins, keys beyond their scopes, limits that
 * were reached. It listens to the log, and writes what it heard a little later, many rows in one
 * commit. Strangers can cause these events, so that a budget bounds them by the hour; what is beyond
 * is counted, and the counts are one row.
 */
import { LRUCache } from 'lru-cache';
import type { Database, Statement } from '../../db/database.ts';
import type { Clock } from '../../lib/clock.ts';
import { exceptionFields } from '../../lib/log.ts';
import type { Log, LogFields } from '../../lib/log.ts';
import { networkOf } from '../requester.ts';
import type { AuditActor, AuditRows, Outcome } from './audit-row.ts';

/** Events of the log that are recorded this way. */
const NOTED: ReadonlyMap<string, Outcome> = new Map([
  ['sign_in.failed', 'failure'],
  ['sign_in.code_requested', 'success'],
  ['second_factor.failed', 'failure'],
  ['registration.begun', 'success'],
  ['password.reset_requested', 'success'],
  ['password.unusable_hash', 'failure'],
  ['session.rolled_back', 'failure'],
  ['refresh_token.reused', 'failure'],
  ['refresh_token.grace', 'success'],
  ['passkey.clone_suspected', 'failure'],
  ['passkey.origin_refused', 'failure'],
  ['factor.unreadable', 'failure'],
  ['api_key.refused', 'failure'],
  ['api_key.scope_missing', 'failure'],
  ['legacy.unavailable', 'failure'],
  ['sms.denied', 'failure'],
  ['database.write_lost', 'failure'],
  ['database.write_back', 'success'],
  ['request.failed', 'failure'],
]);

/** Rows in an hour, in all and from one network. */
export const MAX_NOTES_PER_HOUR = 2_000;
export const MAX_NOTES_OF_NETWORK = 200;
const HOUR_MS = 3_600_000;
const MAX_NETWORKS = 10_000;

const FLUSH_MS = 1_000;
/** Rows of one commit, and those that wait at most while the database takes no writes. */
const BATCH = 100;
const MAX_WAITING = 2_000;

export interface AuditNotes {
  /** Writes what was heard so far. */
  flush(): Promise<void>;
  /** Writes it, and listens no more. */
  close(): Promise<void>;
}

export interface AuditNotesDeps {
  readonly db: Pick<Database, 'write'>;
  readonly clock: Pick<Clock, 'now'>;
  readonly rows: AuditRows;
  readonly log: Log;
}

function actorOf(fields: LogFields): AuditActor {
  const apiKey = fields['api_key.id'];
  if (apiKey !== undefined) return { kind: 'api_key', id: apiKey, name: null };
  const user = fields['user.id'];
  const hasSession = user !== undefined && fields['session.id'] !== undefined;
  return hasSession
    ? { kind: 'user', id: user, name: null }
    : { kind: 'anonymous', id: null, name: null };
}

/** @returns the log to use in the place of `deps.log`, and what records */
export function createAuditNotes(deps: AuditNotesDeps): {
  readonly log: Log;
  readonly notes: AuditNotes;
} {
  const { db, clock, rows } = deps;
  const networks = new LRUCache<string, { count: number }>({ max: MAX_NETWORKS });
  let hour = Math.floor(clock.now() / HOUR_MS);
  let written = 0;
  let beyond = new Map<string, number>();
  let waiting: Statement[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  let flushing: Promise<void> = Promise.resolve();

  const system: AuditActor = { kind: 'system', id: null, name: null };
  const nobody = { ip: null, userAgent: null, name: null };

  /** The counts of an hour that is over, as a row. */
  const beginHour = (now: number): void => {
    if (now === hour) return;
    hour = now;
    written = 0;
    networks.clear();
    for (const [reason, count] of beyond)
      waiting.push(
        rows.insert({
          event: 'audit.summarised',
          outcome: 'failure',
          actor: system,
          personal: nobody,
          fields: { reason, count },
        }),
      );
    beyond = new Map();
  };

  const isWithinBudget = (ip: string | null): boolean => {
    const key = networkOf({ ip });
    const network = networks.get(key) ?? { count: 0 };
    network.count++;
    networks.set(key, network);
    return network.count <= MAX_NOTES_OF_NETWORK && ++written <= MAX_NOTES_PER_HOUR;
  };

  const write = async (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    while (waiting.length > 0) {
      const batch = waiting.slice(0, BATCH);
      waiting = waiting.slice(BATCH);
      try {
        await db.write(batch);
      } catch (error) {
        // The log has what the rows would have said.
        const message = 'events could not be recorded';
        const fields = { count: batch.length, ...exceptionFields(error) };
        deps.log.write('error', 'audit.lost', message, fields);
        return;
      }
    }
  };

  const flush = (): Promise<void> => {
    flushing = flushing.then(write);
    return flushing;
  };

  const note = (event: string, outcome: Outcome, fields: LogFields): void => {
    beginHour(Math.floor(clock.now() / HOUR_MS));
    const ip = fields['client.address'] ?? null;
    if (waiting.length >= MAX_WAITING || !isWithinBudget(ip)) {
      beyond.set(event, (beyond.get(event) ?? 0) + 1);
      return;
    }
    const personal = {
      ip,
      userAgent: fields['user_agent.original'] ?? null,
      name: fields['user.name'] ?? null,
    };
    waiting.push(rows.insert({ event, outcome, actor: actorOf(fields), personal, fields }));
    timer ??= setTimeout(() => void flush(), FLUSH_MS).unref();
  };

  const log: Log = {
    enabled: (level) => deps.log.enabled(level),
    write: (level, event, message, fields = {}) => {
      const outcome = NOTED.get(event);
      if (outcome !== undefined) note(event, outcome, fields);
      deps.log.write(level, event, message, fields);
    },
    request: (level, line) => {
      // Refused by a rule about who may do what, or how often (ASVS 16.3.2, 16.3.3).
      if (line.status === 403 || line.problem === 'rate_limited')
        note('request.refused', 'failure', {
          request_id: line.requestId,
          'client.address': line.ip,
          'http.route': line.route,
          ...(line.problem === undefined ? {} : { reason: line.problem }),
          ...(line.userId === undefined ? {} : { 'user.id': line.userId }),
          ...(line.sessionId === undefined ? {} : { 'session.id': line.sessionId }),
          ...(line.apiKeyId === undefined ? {} : { 'api_key.id': line.apiKeyId }),
        });
      deps.log.request(level, line);
    },
  };
  return {
    log,
    notes: {
      flush,
      close: async () => {
        beginHour(-1);
        await flush();
      },
    },
  };
}
