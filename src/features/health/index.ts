/**
 * Whether the process lives, and whether it can do its work. Liveness never asks the database: one
 * slow disk must not restart it.
 */
import * as z from 'zod';
import type { App } from '../../app/capabilities.ts';
import { Refusal } from '../../refusal.ts';
import { exceptionFields } from '../../lib/log.ts';
import { route } from '../../http/route.ts';
import type { AnyRoute } from '../../http/route.ts';
import type { Feature } from '../feature.ts';
import { probeWrite } from './store.ts';

const Status = z.object({ status: z.literal('ok') });

function healthRoutes(app: App): readonly AnyRoute[] {
  return [
    route({
      method: 'get',
      path: '/healthz',
      tag: 'Operations',
      summary: 'The process is alive',
      security: 'public',
      status: 200,
      reply: Status,
      problems: [],
      handle: () => ({ status: 'ok' as const }),
    }),
    route({
      method: 'get',
      path: '/readyz',
      tag: 'Operations',
      summary: 'The database is writable, its migrations are done, a signing key is loaded',
      security: 'public',
      status: 200,
      reply: Status,
      problems: ['not_ready'],
      handle: async ({ requester }) => {
        const reasons: string[] = [];
        const check = async (reason: string, work: () => unknown): Promise<void> => {
          try {
            await work();
          } catch (error) {
            reasons.push(reason);
            app.log.write('warn', 'readiness.failed', reason, {
              request_id: requester.requestId,
              reason,
              ...exceptionFields(error),
            });
          }
        };
        await check('database_not_writable', () => app.db.write([probeWrite()]));
        await check('migrations_pending', async () => {
          if ((await app.db.pendingMigrations()).length > 0)
            throw new Error('migrations are pending');
        });
        await check('no_signing_key', () => app.keys.signingKey());
        if (reasons.length > 0) throw new Refusal('not_ready', { members: { reasons } });
        return { status: 'ok' as const };
      },
    }),
  ];
}

export const health: Feature = {
  name: 'health',
  contribute: (app) => ({ routes: healthRoutes(app) }),
};
