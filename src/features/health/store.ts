/** A write that takes the write lock and changes nothing: what it needs is all that a real one needs, but the room. */
import { raw } from '../../db/prepare.ts';
import type { Statement } from '../../db/database.ts';

const probe = raw("UPDATE throttle SET failures = failures WHERE key = ''", []);

export function probeWrite(): Statement {
  return probe({});
}
