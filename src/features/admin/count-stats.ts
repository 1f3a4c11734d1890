/** The numbers of the service at a glance. */
import { isLiveKey, listApiKeys } from '../../core/api-key/api-key.ts';
import type { Context } from '../../core/context.ts';
import { outboxDepth } from '../../core/email/outbox-depth.ts';
import type { OutboxDepth } from '../../core/email/outbox-depth.ts';
import type { Kernel } from '../../core/kernel.ts';
import { countSessions } from '../../core/session/count.ts';
import { countUsers } from '../../core/user/count.ts';
import type { UserCounts } from '../../core/user/count.ts';
import { coalesce } from '../../lib/coalesce.ts';

export interface Stats {
  /** When it was counted. */
  readonly at: number;
  readonly users: UserCounts;
  readonly activeSessions: number;
  readonly emails: OutboxDepth;
  readonly activeApiKeys: number;
}

/** Counting scans an index, so that an answer is used for a while. */
const KEPT_MS = 60_000;

export function countEverything({ db, clock }: Pick<Kernel, 'db' | 'clock'>) {
  let kept: Stats | undefined;
  const count = coalesce(async (): Promise<Stats> => {
    const now = clock.now();
    const keys = await listApiKeys(db);
    kept = {
      at: now,
      users: await countUsers(db, now),
      activeSessions: await countSessions(db),
      emails: await outboxDepth(db, now),
      activeApiKeys: keys.filter((key) => isLiveKey(key, now)).length,
    };
    return kept;
  });
  return async (_context: Context): Promise<Stats> =>
    kept === undefined || Math.abs(clock.now() - kept.at) >= KEPT_MS ? count() : kept;
}
