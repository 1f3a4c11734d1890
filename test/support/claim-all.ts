/** Takes all emails, or text messages, that are due, of every lane and domain, as couriers would between them. */
import { claimEmails, findNextDomain } from '../../src/core/email/claim.ts';
import type { ClaimedEmail, Turn } from '../../src/core/email/claim.ts';
import { LANES_OF } from '../../src/core/email/lanes.ts';
import type { Channel } from '../../src/core/email/lanes.ts';
import type { TestApp } from './app.ts';

export async function claimAll(
  { db, clock, kernel }: Pick<TestApp, 'db' | 'clock' | 'kernel'>,
  leaseMs: number,
  channel: Channel = 'email',
): Promise<ClaimedEmail[]> {
  const turns: Turn[] = [];
  for (const lane of LANES_OF[channel]) {
    for (let after = ''; ; ) {
      const next = await findNextDomain(db, lane, after);
      if (next === null) break;
      after = next.domain;
      turns.push({ lane, domain: after, count: 1_000 });
    }
  }
  return claimEmails(db, kernel.sealer, { now: clock.now(), leaseMs, turns });
}
