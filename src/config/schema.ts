/**
 * The configuration: the sections of the service and of its features, in the order of the example
 * file.
 */
import * as z from 'zod';
import { emailCodeSection, smsCodeSection } from '../features/otp/config.ts';
import type { ProviderSettings } from '../features/external/config.ts';
import { registrationSection } from '../features/registration/config.ts';
import { mfaSection } from '../features/mfa/config.ts';
import { passkeysSection } from '../features/passkey/config.ts';
import { passwordSection } from '../features/password/config.ts';
import { cookiesSection, sessionsSection } from '../features/session/config.ts';
import { revocationSection } from '../features/status-list/config.ts';
import { totpSection } from '../features/totp/config.ts';
import { sectionRegistry, settingRegistry } from '../lib/setting-registry.ts';
import type { SettingMeta } from '../lib/setting-registry.ts';
import { adminSection } from './admin.ts';
import { auditSection } from './audit.ts';
import type { AudienceSettings } from './audience-settings.ts';
import type { ListenAddress } from './listen-address.ts';
import { limitsSection } from './limits.ts';
import {
  mailDkimSection,
  mailFileSection,
  mailSection,
  mailSmtpSection,
  mailWebhookSection,
} from './mail.ts';
import { metricsSection } from './metrics.ts';
import { otpSection } from './otp.ts';
import { smsFileSection, smsGatewaySection, smsSection, smsWebhookSection } from './sms.ts';
import {
  databaseSection,
  logSection,
  secretsSection,
  serverSection,
  throttleSection,
  tokensSection,
} from './sections.ts';

const sections = z.object({
  server: serverSection,
  database: databaseSection,
  secrets: secretsSection,
  tokens: tokensSection,
  revocation: revocationSection,
  sessions: sessionsSection,
  cookies: cookiesSection,
  password: passwordSection,
  registration: registrationSection,
  mfa: mfaSection,
  totp: totpSection,
  passkeys: passkeysSection,
  otp: otpSection,
  'otp.email': emailCodeSection,
  'otp.sms': smsCodeSection,
  throttle: throttleSection,
  limits: limitsSection,
  mail: mailSection,
  'mail.smtp': mailSmtpSection,
  'mail.dkim': mailDkimSection,
  'mail.webhook': mailWebhookSection,
  'mail.file': mailFileSection,
  sms: smsSection,
  'sms.webhook': smsWebhookSection,
  'sms.gateway': smsGatewaySection,
  'sms.file': smsFileSection,
  log: logSection,
  metrics: metricsSection,
  admin: adminSection,
  audit: auditSection,
});

/** Converts TOML values to what the program uses: milliseconds, bytes, parsed listeners. */
export const configSchema = sections.transform((config) => ({
  ...config,
  server: {
    ...config.server,
    public_url: config.server.public_url ?? defaultPublicUrl(config.server.listen) ?? '',
  },
}));

/** The effective configuration; names as in TOML, durations in milliseconds, sizes in bytes. */
export type Config = z.output<typeof configSchema> & {
  /** By name; of the file alone. */
  readonly audiences: ReadonlyMap<string, AudienceSettings>;
  /** Outside providers, by name; of the file alone. */
  readonly external: ReadonlyMap<string, ProviderSettings>;
};

/** The URL of the first TCP listener for clients on this machine; undefined without one. */
function defaultPublicUrl(listen: readonly ListenAddress[]): string | undefined {
  const tcp = listen.find((address) => address.kind === 'tcp');
  if (tcp === undefined) return undefined;
  const host = tcp.host.includes(':') ? `[${tcp.host}]` : tcp.host;
  return new URL(`http://${host}:${tcp.port}`).origin;
}

/** One setting with its names. */
export interface Setting extends SettingMeta {
  /** As in `tokens.access_ttl`. */
  readonly key: string;
  readonly section: string;
  readonly name: string;
  /** As in `POSTERN_TOKENS_ACCESS_TTL`. */
  readonly env: string;
}

/** One section with its settings. */
export interface Section {
  readonly name: string;
  readonly sentence: string;
  readonly settings: readonly Setting[];
}

/** All sections, in order. */
export const SECTIONS: readonly Section[] = Object.entries(sections.shape).map(
  ([name, schema]) => ({
    name,
    sentence: sectionRegistry.get(schema)?.sentence ?? '',
    settings: Object.entries(schema.shape).map(([setting, value]) =>
      describeSetting(name, setting, value),
    ),
  }),
);

/** All settings by key, in order. */
export const SETTINGS: ReadonlyMap<string, Setting> = new Map(
  SECTIONS.flatMap(({ settings }) => settings.map((setting) => [setting.key, setting])),
);

function describeSetting(section: string, name: string, schema: z.core.$ZodType): Setting {
  const key = `${section}.${name}`;
  const meta = settingRegistry.get(schema);
  if (meta === undefined) throw new Error(`${key} has no metadata`);
  return {
    ...meta,
    key,
    section,
    name,
    env: `POSTERN_${section.replaceAll('.', '_')}_${name}`.toUpperCase(),
  };
}
