/** What the operations of this feature need of the configuration. */
import type { Config } from '../../config/schema.ts';
import type { AddressSettings } from '../../core/one-time/address-code.ts';

export interface AdminSettings extends AddressSettings {
  /** Whether /admin is answered at all. */
  readonly isOn: boolean;
  /** The page that takes the links of resets and invitations. */
  readonly resetUrl: string;
  /** How long an invitation is good, milliseconds. */
  readonly invitationTtlMs: number;
}

export function adminSettings({ admin, mail, server }: Config): AdminSettings {
  return {
    isOn: admin.enabled,
    verifyUrl: mail.verify_url ?? `${server.public_url}/verify-address`,
    resetUrl: mail.reset_url ?? `${server.public_url}/reset-password`,
    linkTtlMs: mail.link_ttl,
    invitationTtlMs: admin.invitation_ttl,
  };
}
