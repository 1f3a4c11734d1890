/** Writing as an operator beside a running service. */
import { createAuditRows } from '../core/audit/audit-row.ts';
import { createCommit } from '../core/commit.ts';
import { operatorContext } from '../core/context.ts';
import { createSystemRandom } from '../crypto/secret.ts';
import type { Database } from '../db/database.ts';
import { createIds } from '../lib/id.ts';
import type { Log } from '../lib/log.ts';
import { operatorLog, operatorName } from './operator-log.ts';
import type { VerbCall } from './verb.ts';

/** The context of a verb's acts, by default with a line on stderr for each. */
export function contextOf(call: VerbCall, log: Log = operatorLog(call.context)) {
  return operatorContext(log, operatorName(call.context.env));
}

/** The parts of a kernel that write: the service sees ended sessions and keys in the database. */
export function operatorCommit(call: VerbCall, db: Database) {
  const { clock } = call.context;
  const random = createSystemRandom();
  const newId = createIds(clock, random);
  const commit = createCommit({
    db,
    auditRows: createAuditRows({ clock, random, newId }),
    refreshRevocations: async () => undefined,
    wakeCourier: () => undefined,
  });
  return { clock, random, newId, commit };
}
