/** What of a provider's claims a new account begins with. */
import { metadata, text } from '../../http/fields.ts';
import type { JsonObject } from '../../lib/json.ts';

export interface ProfilePolicy {
  /** Whether an address that the provider calls verified is verified here. */
  readonly trustEmail: boolean;
  /** The claim that becomes the display name. */
  readonly displayNameClaim: string;
  /** The claims that are copied into user_metadata, by the name that they get there. */
  readonly metadataClaims: ReadonlyMap<string, string>;
}

export interface Profile {
  readonly displayName: string | null;
  readonly userMetadata: JsonObject;
}

const DisplayName = text({ min: 1, max: 128 });
const MetadataText = text({ min: 1, max: 1_024 });
const Metadata = metadata();

/** A text, a number or a boolean; undefined for anything else. */
function plain(value: unknown): string | number | boolean | undefined {
  if (typeof value === 'boolean') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  const read = MetadataText.safeParse(value);
  return read.success ? read.data : undefined;
}

/** Nothing of a claim that does not fit: a provider's odd name is no reason to refuse its user. */
export function profileOf(
  claims: Readonly<Record<string, unknown>>,
  { displayNameClaim, metadataClaims }: ProfilePolicy,
): Profile {
  const named = DisplayName.safeParse(claims[displayNameClaim]);
  const copied = [...metadataClaims].flatMap(([member, claim]) => {
    const value = plain(claims[claim]);
    return value === undefined ? [] : [[member, value] as const];
  });
  const userMetadata: JsonObject = Object.fromEntries(copied);
  return {
    displayName: named.success ? named.data : null,
    userMetadata: Metadata.safeParse(userMetadata).success ? userMetadata : {},
  };
}
