/** The limits of requested emails and the lifetime of their links, from the configuration. */
import type { Config } from '../config/schema.ts';
import type { EmailLimits } from '../core/email/enqueue.ts';
import type { ResetLinkSettings } from '../core/password/reset-link.ts';

export function emailLimits({ mail }: Config): EmailLimits {
  return {
    intervalMs: mail.interval,
    maxPerHour: mail.max_per_hour,
    maxPerNetwork: mail.max_per_network,
    maxRequested: mail.max_requested,
  };
}

export function resetLinkSettings({ mail, server }: Config): ResetLinkSettings {
  return {
    resetUrl: mail.reset_url ?? `${server.public_url}/reset-password`,
    linkTtlMs: mail.link_ttl,
  };
}
