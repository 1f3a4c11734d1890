/** The numbers of the service over HTTP. */
import * as z from 'zod';
import type { Kernel } from '../../core/kernel.ts';
import { rfc3339, timestamp } from '../../http/fields.ts';
import { route } from '../../http/route.ts';
import type { AnyRoute } from '../../http/route.ts';
import { security, tag } from './acts.ts';
import { countEverything } from './count-stats.ts';

const count = z.number().int();

const StatsReply = z
  .object({
    at: timestamp,
    users: z.object({
      total: count,
      disabled: count,
      anonymous: count,
      new_in_day: count,
      new_in_week: count,
      new_in_month: count.meta({ description: 'In 30 days.' }),
    }),
    sessions: z.object({ active: count }),
    emails: z.object({
      waiting: count,
      dead: count.meta({ description: 'Given up.' }),
      oldest_age_seconds: count,
    }),
    api_keys: z.object({ active: count }),
  })
  .meta({ id: 'Stats' });

export function statsRoutes(kernel: Kernel): readonly AnyRoute[] {
  const stats = countEverything(kernel);
  return [
    route({
      method: 'get',
      path: '/admin/stats',
      tag,
      summary: 'Count users, sessions, emails and API keys',
      description: 'Counted once a minute at most; at says when. Metrics have rates and times.',
      security,
      status: 200,
      reply: StatsReply,
      problems: [],
      handle: async (call) => {
        const { at, users, activeSessions, emails, activeApiKeys } = await stats(
          kernel.context(call),
        );
        return {
          at: rfc3339(at),
          users: {
            total: users.total,
            disabled: users.disabled,
            anonymous: users.anonymous,
            new_in_day: users.newInDay,
            new_in_week: users.newInWeek,
            new_in_month: users.newInMonth,
          },
          sessions: { active: activeSessions },
          emails: {
            waiting: emails.pending,
            dead: emails.dead,
            oldest_age_seconds: Math.floor(emails.oldestAgeMs / 1000),
          },
          api_keys: { active: activeApiKeys },
        };
      },
    }),
  ];
}
