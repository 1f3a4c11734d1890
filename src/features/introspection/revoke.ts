/** Revoking a token ends its session, and so every token of it (RFC 7009 §2.1). */
import { recordedIfChanged } from '../../core/audit/audited-event.ts';
import type { Context } from '../../core/context.ts';
import type { Kernel } from '../../core/kernel.ts';
import { tokenOwner } from '../../core/token/token-owner.ts';
import { Refusal } from '../../refusal.ts';

/**
 * An unknown token counts as already revoked. Its function throws {Refusal} unsupported_token_type:
 * a service's own token has no session that could end.
 */
export function revoke(kernel: Kernel) {
  return async (context: Context, token: string): Promise<void> => {
    const owner = tokenOwner(kernel, token);
    if (owner.kind === 'service') throw new Refusal('unsupported_token_type');
    if (owner.kind === 'nobody') return;
    const { sessionId, userId } = owner;
    const [session, ...rest] = kernel.sessions.end({ kind: 'one', sessionId, userId }, 'revoked');
    const record = recordedIfChanged('session.ended', 'a service revoked a token', {
      'user.id': userId,
      'session.id': sessionId,
      reason: 'revoked',
    });
    await kernel.commit(context, [session, record, ...rest]);
  };
}
