/** The sections that may occur several times, read with the secrets that were given elsewhere. */
import type { ProviderSettings } from '../features/external/config.ts';
import type { AudienceSettings } from './audience-settings.ts';
import { AUDIENCES } from './audiences.ts';
import { EXTERNAL } from './external.ts';
import type { ConfigFault, Given } from './fault.ts';
import type { NamedTables } from './file.ts';
import { secretsIn } from './named-secrets.ts';
import { readSections } from './named-sections.ts';

export interface NamedSections {
  readonly audiences: ReadonlyMap<string, AudienceSettings>;
  readonly external: ReadonlyMap<string, ProviderSettings>;
  readonly faults: readonly ConfigFault[];
}

/** @param faulty keys of secrets that have a fault already */
export function readNamed(
  { audiences, external, place }: NamedTables,
  effective: ReadonlyMap<string, Given>,
  faulty: ReadonlySet<string>,
): NamedSections {
  const services = readSections(AUDIENCES, audiences, place);
  const providers = readSections(EXTERNAL, external, place, (name) =>
    secretsIn(`external.${name}`, effective, faulty),
  );
  return {
    audiences: services.sections,
    external: providers.sections,
    faults: [...services.faults, ...providers.faults],
  };
}
