/** The audit log as streams read it. */
import { auditAfter, lastAudited, shownEvent } from '../../core/audit/read.ts';
import type { AuditRow } from '../../core/audit/read.ts';
import type { Kernel } from '../../core/kernel.ts';

/** A row of the audit log, as far as streams tell of it. */
export interface RecordedEvent {
  /** Its place: rows are read in this order, which is that of their commits. */
  readonly seq: number;
  /** Its id, the `jti` of what is told. */
  readonly id: string;
  readonly at: number;
  /** The name in the log. */
  readonly event: string;
  readonly userId: string | null;
  readonly sessionId: string | null;
  readonly actor: 'user' | 'admin' | 'system';
  readonly factor: string | null;
  readonly reason: string | null;
}

export interface RecordedEvents {
  /** At most `limit` rows after a place, in order. */
  after(seq: number, limit: number): Promise<readonly RecordedEvent[]>;
  /** The place of the last row; 0 without any. */
  last(): Promise<number>;
}

const ACTORS = {
  user: 'user',
  anonymous: 'user',
  operator: 'admin',
  api_key: 'admin',
  system: 'system',
} as const;

const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null);

function recordedEvent(row: AuditRow): RecordedEvent {
  const { seq, id, at, event, user, session, actor, details } = shownEvent(row);
  return {
    seq,
    id,
    at,
    event,
    userId: user,
    sessionId: session,
    actor: ACTORS[actor.kind],
    factor: textOf(details['factor']),
    reason: textOf(details['reason']),
  };
}

export function recordedEvents(db: Kernel['db']): RecordedEvents {
  return {
    after: async (seq, limit) => (await auditAfter(db, seq, limit)).map(recordedEvent),
    last: () => lastAudited(db),
  };
}
