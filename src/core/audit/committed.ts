/** The rows that the statements of a commit returned. */
import type { Statement } from '../../db/database.ts';

export interface Committed {
  /** The rows of one of the committed statements. */
  rowsOf<Row>(statement: Statement<Row>): readonly Row[];
}
