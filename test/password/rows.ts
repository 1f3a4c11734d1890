/** What the database holds of passwords and attempts. */
import type { Reply, TestApp } from '../support/app.ts';

/** The stored hash of a user. */
export async function storedHash(app: TestApp, userId: string): Promise<string> {
  const [hash] = await app.db.read({
    sql: 'SELECT password_hash FROM password_credential WHERE user_id = ?',
    params: [userId],
    map: (rows) => rows.map((row) => String(row[0])),
    returns: true,
  });
  return hash ?? '';
}

export async function plantHash(app: TestApp, userId: string, hash: string): Promise<void> {
  await app.db.write([
    {
      sql: 'UPDATE password_credential SET password_hash = ? WHERE user_id = ?',
      params: [hash, userId],
      map: () => [],
      returns: false,
    },
  ]);
}

/**
 * Makes wrong attempts until one is refused unseen; how many were looked at before it, and that
 * refusal.
 */
export async function fillBucket(
  attempt: () => Promise<Reply>,
  most = 200,
): Promise<{ looked: number; refusal: Reply }> {
  for (let looked = 0; looked <= most; looked++) {
    const reply = await attempt();
    if (reply.status === 429) return { looked, refusal: reply };
    if (reply.status !== 401) throw new Error(`an attempt answered ${reply.status}`);
  }
  throw new Error(`none of ${most} attempts was refused`);
}
