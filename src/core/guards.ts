/** Conditions of a commit, each with the refusal of its caller. */
import type { Statement } from '../db/database.ts';
import { guarded as guardedBy } from '../db/prepare.ts';
import type { RefusalCode } from '../refusal.ts';

/** A statement that must change a row; else the whole list is undone and refused with this code. */
export function guarded<Row>(statement: Statement<Row>, code: RefusalCode): Statement<Row> {
  return guardedBy(statement, code);
}

/**
 * A statement whose list is refused with this code when a UNIQUE constraint refuses it: any, or
 * that of one column, written `table.column`.
 */
export function unique<Row>(
  statement: Statement<Row>,
  code: RefusalCode,
  column?: string,
): Statement<Row> {
  return column === undefined
    ? { conflict: code, ...statement }
    : { conflict: code, conflictOn: column, ...statement };
}
