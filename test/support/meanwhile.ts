/** Another change of the account, at a moment that a race would need luck for. */
import type { Reply, TestApp } from './app.ts';

/**
 * Sends a request, and changes the state of the account while that request reads a table: after it
 * was authorised, before it writes.
 */
export async function changedWhileReading(
  { db }: TestApp,
  { userId, table }: { readonly userId: string; readonly table: string },
  send: () => Promise<Reply>,
): Promise<Reply> {
  const { read } = db;
  const reading = new RegExp(`from "?${table}"?\\b`);
  let isChanged = false;
  db.read = async (statement) => {
    if (!isChanged && reading.test(statement.sql)) {
      isChanged = true;
      const sql = 'UPDATE user SET epoch = epoch + 1 WHERE id = ?';
      await db.write([{ sql, params: [userId], map: () => [], returns: false }]);
    }
    return read(statement);
  };
  const reply = await send().finally(() => {
    db.read = read;
  });
  if (!isChanged) throw new Error(`${table} was not read`);
  return reply;
}
