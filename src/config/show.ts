/** The effective configuration with its origins. A secret is only reported as set. */
import type { RawValue } from '../lib/setting-registry.ts';
import { audiencesToml } from './audiences.ts';
import { externalToml } from './external.ts';
import { streamsToml } from './streams.ts';
import { formatRaw, formatSource } from './fault.ts';
import type { Origin, ParsedConfig } from './parse.ts';
import { SECTIONS } from './schema.ts';
import type { Setting } from './schema.ts';

/** Replaces a secret. */
const MASK = '[set]';

/** One effective setting, as `postern config show --json` gives it. */
export interface ShownSetting {
  readonly value: RawValue | null;
  /** The file with line and column, the variable or the flag; `default` if not set. */
  readonly origin: string;
}

/** All settings by key. Credentials within URLs are removed too. */
export function showSettings(
  parsed: ParsedConfig,
  which: WhichSettings = 'all',
): Readonly<Record<string, ShownSetting>> {
  const shown = SECTIONS.flatMap(({ settings }) => settings).filter(isShown(parsed, which));
  return Object.fromEntries(
    shown.map((setting) => [
      setting.key,
      { value: shownValue(setting, parsed), origin: shownOrigin(parsed.origins.get(setting.key)) },
    ]),
  );
}

/** All settings as a TOML file with the same effect, except for secrets, which are left out. */
export function showToml(
  parsed: ParsedConfig,
  layout: { readonly origins: 'with' | 'without'; readonly settings?: WhichSettings },
): string {
  const lines: string[] = [];
  for (const { name, settings: all } of SECTIONS) {
    const settings = all.filter(isShown(parsed, layout.settings ?? 'all'));
    if (settings.length === 0) continue;
    lines.push(`[${name}]`);
    for (const setting of settings) {
      const text = settingLine(setting, parsed);
      lines.push(
        layout.origins === 'with'
          ? `${text.padEnd(45)}  # ${shownOrigin(parsed.origins.get(setting.key))}`
          : text,
      );
    }
    lines.push('');
  }
  return [
    ...lines,
    ...audiencesToml(parsed.config.audiences),
    ...externalToml(parsed.config.external),
    ...streamsToml(parsed.config.streams),
  ].join('\n');
}

function settingLine(setting: Setting, parsed: ParsedConfig): string {
  const value = shownValue(setting, parsed);
  if (value === null) return `# ${setting.name} is not set`;
  if (setting.secret && value === MASK) return `# ${setting.name} = ${MASK}`;
  return `${setting.name} = ${formatRaw(value)}`;
}

/** All of them, or those that were set to something else than their default. */
export type WhichSettings = 'all' | 'changed';

function isShown({ origins }: ParsedConfig, which: WhichSettings): (setting: Setting) => boolean {
  return (setting) => {
    const origin = origins.get(setting.key);
    if (which === 'all' || origin === undefined) return which === 'all';
    return (
      origin.isSet &&
      (setting.secret || JSON.stringify(origin.value) !== JSON.stringify(setting.defaultValue))
    );
  };
}

function shownValue(setting: Setting, { config, origins }: ParsedConfig): RawValue | null {
  const origin = origins.get(setting.key);
  if (setting.secret) return origin?.isSet === true ? MASK : null;
  if (setting.key === 'server.public_url') return config.server.public_url;
  return origin?.value ?? null;
}

function shownOrigin(origin: Origin | undefined): string {
  if (origin === undefined) return 'default';
  const source = formatSource(origin.source);
  return origin.secretFile === undefined ? source : `${source}: ${origin.secretFile}`;
}
