/** POST /me/recovery-codes. */
import type { Kernel } from '../../core/kernel.ts';
import { bearer, route } from '../../http/route.ts';
import type { AnyRoute } from '../../http/route.ts';
import { RecoveryCodesReply } from '../../http/schemas.ts';
import { renewCodes } from './renew-codes.ts';

export function recoveryCodeRoutes(kernel: Kernel): readonly AnyRoute[] {
  const renew = renewCodes(kernel);
  return [
    route({
      method: 'post',
      path: '/me/recovery-codes',
      renewsDevice: true,
      limit: 'login',
      tag: 'Factors',
      summary: 'Create ten new recovery codes',
      description:
        'Shown only in this answer; the old set no longer works. The other sessions end.',
      security: bearer({ fresh: true }),
      status: 200,
      reply: RecoveryCodesReply,
      problems: ['no_second_factor', 'conflict', 'overloaded'],
      handle: async (call) => ({ recovery_codes: [...(await renew(kernel.context(call)))] }),
    }),
  ];
}
