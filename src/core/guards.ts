/** Conditions of a commit, each with the refusal code that its caller chose. */
import type { Statement } from '../db/database.ts';
import { guarded as guardedBy } from '../db/prepare.ts';
import type { RefusalCode } from '../refusal.ts';

/**
 * A statement that must change a row; otherwise the whole commit is undone and refused with this
 * code.
 */
export function guarded<Row>(statement: Statement<Row>, code: RefusalCode): Statement<Row> {
  return guardedBy(statement, code);
}

/**
 * A statement whose violation of a UNIQUE constraint refuses the commit with this code: of any
 * constraint, or of that of one column, written `table.column`.
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
