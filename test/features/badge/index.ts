/** The badge as a feature: what a new factor brings. */
import * as z from 'zod';
import { withFactor } from '../../../src/core/factor/presented.ts';
import type { Kernel } from '../../../src/core/kernel.ts';
import { feature } from '../../../src/features/feature.ts';
import { bearer, route } from '../../../src/http/route.ts';
import { PRESENTED, badgeFactor, hashOf } from './factor.ts';
import { insertBadge } from './store.ts';

function enrolRoute({ context, factors }: Kernel) {
  return route({
    method: 'post',
    path: '/me/badge',
    tag: 'Factors',
    summary: 'Enrol a badge',
    security: bearer({ fresh: true }),
    body: z.strictObject({ number: z.string().max(64) }),
    status: 204,
    problems: [],
    handle: async (call) => {
      const { user, session } = call.principal;
      await factors.change(context(call), {
        statements: [insertBadge({ userId: user.id, numberHash: hashOf(call.body.number) })],
        presented: withFactor(session.factors, PRESENTED),
        template: 'factor_added',
        label: 'a badge',
        factor: PRESENTED.factor,
        event: 'factor.added',
      });
    },
  });
}

export const badge = feature({
  name: 'badge',
  settings: () => null,
  secondFactor: { isUsable: () => true, remedy: 'badge.enabled = true' },
  create: (kernel) => ({ factor: badgeFactor(kernel), routes: () => [enrolRoute(kernel)] }),
});
