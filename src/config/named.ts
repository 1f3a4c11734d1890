/** The sections that may occur several times, read with the secrets that were given elsewhere. */
import type { StreamSettings } from '../features/event-stream/config.ts';
import type { ProviderSettings } from '../features/external/config.ts';
import type { AudienceSettings } from './audience-settings.ts';
import { AUDIENCES } from './audiences.ts';
import { EXTERNAL } from './external.ts';
import type { ConfigFault, Given } from './fault.ts';
import type { NamedTables } from './file.ts';
import { secretsIn } from './named-secrets.ts';
import { readSections } from './named-sections.ts';
import { STREAMS } from './streams.ts';

export interface NamedSections {
  readonly audiences: ReadonlyMap<string, AudienceSettings>;
  readonly external: ReadonlyMap<string, ProviderSettings>;
  readonly streams: ReadonlyMap<string, StreamSettings>;
  readonly faults: readonly ConfigFault[];
}

/** @param faulty keys of secrets that have a fault already */
export function readNamed(
  { audiences, external, streams, place }: NamedTables,
  effective: ReadonlyMap<string, Given>,
  faulty: ReadonlySet<string>,
): NamedSections {
  const services = readSections(AUDIENCES, audiences, place);
  const providers = readSections(EXTERNAL, external, place, (name) =>
    secretsIn(`external.${name}`, effective, faulty),
  );
  const told = readSections(STREAMS, streams, place, (name) =>
    secretsIn(`events.streams.${name}`, effective, faulty),
  );
  return {
    audiences: services.sections,
    external: providers.sections,
    streams: told.sections,
    faults: [...services.faults, ...providers.faults, ...told.faults],
  };
}
