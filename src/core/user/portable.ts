/**
 * What moves with a user besides the account: a feature that keeps something which another system
 * may have too brings one of these, and a line of an import or export gets its member.
 */
import type * as z from 'zod';
import type { Statement } from '../../db/database.ts';

export interface Portable<Value = unknown> {
  /** Its member of a line. */
  readonly name: string;
  readonly schema: z.ZodType<Value>;
  /** The statements that store it with a new account. */
  statements(userId: string, value: Value): readonly Statement[];
  /** What an export with secrets writes; null for a user who has none. */
  read(userId: string): Promise<unknown>;
}
