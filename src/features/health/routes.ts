/** GET /healthz and /readyz. */
import * as z from 'zod';
import type { Context } from '../../core/context.ts';
import type { Kernel } from '../../core/kernel.ts';
import { route } from '../../http/route.ts';
import type { AnyRoute } from '../../http/route.ts';
import { exceptionFields } from '../../lib/log.ts';
import { Refusal } from '../../refusal.ts';

const Status = z.object({ status: z.literal('ok') });

/** The checks of GET /readyz, each with the reason that it reports when it fails. */
function checksOf(kernel: Kernel, pendingMigrations: () => Promise<readonly string[]>) {
  return {
    database_not_writable: () => kernel.commit.inAnySession([kernel.attempts.probe()]),
    migrations_pending: async () => {
      if ((await pendingMigrations()).length > 0) throw new Error('migrations are pending');
    },
    no_signing_key: async () => void kernel.signingKeys.signingKey(),
  };
}

/** The reasons for which the service is not ready. */
async function failures(
  context: Context,
  { storage }: Kernel,
  checks: ReturnType<typeof checksOf>,
): Promise<string[]> {
  const reasons: string[] = [];
  for (const [reason, check] of Object.entries(checks)) {
    try {
      await check();
    } catch (error) {
      // Report the more specific of two reasons.
      if (storage.lostAt !== null && reason === 'database_not_writable') {
        reasons.push('read_only');
      }
      reasons.push(reason);
      // Called every few seconds: log the message without a stack trace.
      const { 'exception.stacktrace': _, ...fields } = exceptionFields(error);
      context.log.write('warn', 'readiness.failed', reason, { reason, ...fields });
    }
  }
  return reasons;
}

export function healthRoutes(
  kernel: Kernel,
  pendingMigrations: () => Promise<readonly string[]>,
): readonly AnyRoute[] {
  const checks = checksOf(kernel, pendingMigrations);
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
      handle: async (call) => {
        const reasons = await failures(kernel.context(call), kernel, checks);
        if (reasons.length > 0) throw new Refusal('not_ready', { members: { reasons } });
        return { status: 'ok' as const };
      },
    }),
  ];
}
