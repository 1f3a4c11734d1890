/**
 * Makes the rows of the audit log. A row's `data` has the hash of its personal part with a salt:
 * once both are erased nothing of it can be guessed, and the tree over the rows still holds.
 */
import { createHash } from 'node:crypto';
import { sql } from 'drizzle-orm';
import type { Statement } from '../../db/database.ts';
import { prepare, query } from '../../db/prepare.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Random } from '../../lib/id.ts';
import type { LogFields } from '../../lib/log.ts';
import type { Context } from '../context.ts';
import type { AuditedEvent } from './audited-event.ts';
import { auditEvent } from './tables.ts';

export type Outcome = 'success' | 'failure';

/** Who did it. */
export interface AuditActor {
  readonly kind: 'user' | 'operator' | 'api_key' | 'system' | 'anonymous';
  readonly id: string | null;
  /** Of an operator of the command line, or an API key. */
  readonly name: string | null;
}

/** The personal part, which can be erased. */
export interface PersonalPart {
  readonly ip: string | null;
  readonly userAgent: string | null;
  /** What the user is called, where the event names one. */
  readonly name: string | null;
}

/** An event before it is a row. */
export interface AuditEntry {
  readonly event: string;
  readonly outcome: Outcome;
  readonly actor: AuditActor;
  readonly personal: PersonalPart;
  readonly fields: LogFields;
}

/** The content of `data`. */
export interface AuditData {
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly event: string;
  readonly outcome: Outcome;
  readonly user: string | null;
  readonly session: string | null;
  readonly actor: AuditActor;
  /** The fields of the log line that say how: amr, factor, reason, count and others. */
  readonly details: Readonly<Record<string, unknown>>;
  readonly request: string | null;
  /** SHA-256 of the salt and the personal part, base64url; null without one. */
  readonly personal: string | null;
}

const SALT_BYTES = 16;

/** Fields of log lines that are elsewhere in a row, or no one's business there. */
const ELSEWHERE: ReadonlySet<string> = new Set([
  'request_id',
  'trace_id',
  'span_id',
  'trace_flags',
  'client.address',
  'user_agent.original',
  'user.id',
  'user.name',
  'session.id',
  'api_key.id',
  'operator',
  'exception.message',
  'exception.stacktrace',
]);

function personalHash(salt: Uint8Array, personal: string): string {
  return createHash('sha256').update(salt).update(personal).digest('base64url');
}

const insert = prepare(
  query.insert(auditEvent).values({
    data: sql.placeholder('data'),
    personal: sql.placeholder('personal'),
    salt: sql.placeholder('salt'),
  }),
);

// SQLite's changes() is about the statement before this one, in the same list.
const insertIfChanged = prepare(
  query
    .insert(auditEvent)
    .select(
      sql`SELECT NULL, ${sql.placeholder('data')}, ${sql.placeholder('personal')}, ${sql.placeholder('salt')} WHERE changes() > 0`,
    )
    .returning({ seq: auditEvent.seq }),
);

/** The actor of a request or of a call of the command line. */
function actorOf({ principal, apiKey, operator }: Context): AuditActor {
  if (operator !== null) return { kind: 'operator', id: null, name: operator };
  if (apiKey !== null) return { kind: 'api_key', id: apiKey.id, name: apiKey.name };
  if (principal !== null) return { kind: 'user', id: principal.user.id, name: null };
  return { kind: 'anonymous', id: null, name: null };
}

export interface AuditRows {
  /** The statement that inserts an event. */
  insert(entry: AuditEntry): Statement;
  /** The same for what a request or a verb did; with `if_changed` it returns a row if it did. */
  insertOf(context: Context, event: AuditedEvent): Statement;
}

export interface AuditRowDeps {
  readonly clock: Pick<Clock, 'now'>;
  readonly random: Random;
  readonly newId: () => string;
}

export function createAuditRows({ clock, random, newId }: AuditRowDeps): AuditRows {
  const valuesOf = ({ event, outcome, actor, personal, fields }: AuditEntry) => {
    const parts = Object.entries(personal).filter(([, value]) => value !== null);
    const text = parts.length === 0 ? null : JSON.stringify(Object.fromEntries(parts));
    const salt = text === null ? null : random.bytes(SALT_BYTES);
    const data: AuditData = {
      id: newId(),
      at: clock.now(),
      event,
      outcome,
      user: fields['user.id'] ?? null,
      session: fields['session.id'] ?? null,
      actor,
      details: Object.fromEntries(
        Object.entries(fields).filter(([name, value]) => value != null && !ELSEWHERE.has(name)),
      ),
      request: fields.request_id ?? null,
      personal: text === null || salt === null ? null : personalHash(salt, text),
    };
    return { data: JSON.stringify(data), personal: text, salt };
  };
  return {
    insert: (entry) => insert(valuesOf(entry)),
    insertOf: (context, { name: event, fields, when }) => {
      const { principal, requester } = context;
      const statement = when === 'always' ? insert : insertIfChanged;
      return statement(
        valuesOf({
          event,
          outcome: 'success',
          actor: actorOf(context),
          personal: {
            ip: requester.ip,
            userAgent: requester.userAgent,
            name: fields['user.name'] ?? null,
          },
          fields: {
            request_id: requester.requestId,
            ...(principal === null
              ? {}
              : { 'user.id': principal.user.id, 'session.id': principal.session.id }),
            ...fields,
          },
        }),
      );
    },
  };
}
