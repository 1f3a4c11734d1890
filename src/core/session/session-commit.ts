/**
 * Commits in the name of a session: what it changes holds only if the session still does, whatever
 * was hashed or waited for since it was looked at.
 */
import { NothingChanged } from '../../db/database.ts';
import type { Database, Statement } from '../../db/database.ts';
import { guarded, raw } from '../../db/prepare.ts';
import { Refusal } from '../../refusal.ts';
import { writeEndings } from './session.ts';
import type { Principal } from './session.ts';
import type { Revocations } from './revocation.ts';

const SESSION_ENDED = 'session_ended';

const stillLive = raw<{ id: string }>(
  `UPDATE session SET amr = amr WHERE id = :sessionId AND ended_at IS NULL AND EXISTS (SELECT 1 FROM "user" WHERE id = session.user_id AND disabled_at IS NULL) RETURNING id`,
  ['id'],
);

/**
 * Writes a list that also ends sessions or may, only while the principal's session is live.
 *
 * @throws {Refusal} session_revoked: it ended meanwhile, and nothing was changed
 */
export async function writeAs<const L extends readonly Statement[]>(
  deps: { readonly db: Database; readonly revocations: Revocations },
  { session }: Principal,
  statements: L,
): Promise<void> {
  try {
    await writeEndings(deps, [
      guarded(stillLive({ sessionId: session.id }), SESSION_ENDED),
      ...statements,
    ]);
  } catch (error) {
    if (error instanceof NothingChanged && error.guard === SESSION_ENDED)
      throw new Refusal('session_revoked', { cause: error });
    throw error;
  }
}
