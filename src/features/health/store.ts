/** A real write of one row: lock, room and flush, all that a sign-in needs. */
import { raw } from '../../db/prepare.ts';
import type { Statement } from '../../db/database.ts';

const probe = raw(
  "INSERT INTO throttle (key, failures, recent, last_at, blocked_until) VALUES ('readiness', 0, 0, 0, 0) ON CONFLICT (key) DO UPDATE SET failures = 1 - failures",
);

export function probeWrite(): Statement {
  return probe({});
}
