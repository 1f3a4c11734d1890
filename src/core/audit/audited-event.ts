/**
 * Events of the audit log. An operation adds one to the statements of its commit, so that what
 * happened and its record are durable together, and the log line follows the commit.
 *
 * @see https://github.com/OWASP/ASVS (V16.3)
 */
import type { Statement } from '../../db/database.ts';
import type { LogFields, LogLevel } from '../../lib/log.ts';
import type { Committed } from './committed.ts';

export interface AuditedEvent {
  readonly level: LogLevel;
  /** One of lib/events.ts. */
  readonly name: string;
  readonly message: string;
  readonly fields: LogFields;
  /** `if_changed`: only if the statement directly before it changed a row. */
  readonly when: 'always' | 'if_changed';
  /** What the log line says besides, once the commit is done. */
  readonly afterwards?: (done: Committed) => LogFields;
}

/** Stands for the row until the commit knows who acts; see `commit.ts`. */
export interface RecordingStatement extends Statement<never> {
  readonly record: AuditedEvent;
}

/** The statement that records an event in the commit of what it speaks of, and logs it afterwards. */
export function recorded(name: string, message: string, fields: LogFields = {}): Statement<never> {
  return recording({ level: 'info', name, message, fields, when: 'always' });
}

/** The same, if the statement directly before it in the list changes a row. */
export function recordedIfChanged(
  name: string,
  message: string,
  fields: LogFields = {},
): Statement<never> {
  return recording({ level: 'info', name, message, fields, when: 'if_changed' });
}

/** The same, with another level than `info`. */
export function recording(record: AuditedEvent): RecordingStatement {
  return { sql: '', params: [], map: () => [], returns: false, record };
}

export function isRecording(statement: Statement): statement is RecordingStatement {
  return 'record' in statement;
}
