/**
 * The state of each signing key, computed only from the times in the rows: pure, so that every
 * instance on the database gets the same result.
 */

export type KeyPurpose = 'access' | 'internal';
export type KeyState = 'next' | 'active' | 'retiring' | 'retired' | 'withdrawn';

/**
 * How long a superseded key still verifies: the maximum lifetime of its tokens, and a minute for
 * clock differences.
 */
export interface KeyLifetimes {
  readonly accessMs: number;
  readonly internalMs: number;
}

/** A key as operators and the JWKS see it. */
export interface KeyInfo {
  readonly kid: string;
  readonly purpose: KeyPurpose;
  readonly algorithm: string;
  readonly state: KeyState;
  readonly createdAt: number;
  readonly activatesAt: number;
  /** When the last token that it signed will have expired; null while it is not superseded. */
  readonly retiresAt: number | null;
}

interface Placed extends KeyInfo {
  readonly generation: number;
}

/** Whether the first of two keys comes after the second. */
function follows(a: Placed, b: Placed): boolean {
  return (
    a.activatesAt > b.activatesAt ||
    (a.activatesAt === b.activatesAt && a.generation > b.generation)
  );
}

/**
 * Computes the state and the end of each key, and when something will change next.
 *
 * @param ring in order of activation; `withdrawn` is kept, any other state is recomputed
 */
export function placeKeys<K extends Placed>(
  ring: readonly K[],
  now: number,
  lifetimes: KeyLifetimes,
): { keys: K[]; nextChangeAt: number } {
  let nextChangeAt = Infinity;
  const keys = ring.map((key) => {
    const successor = ring.find(
      (other) =>
        other.purpose === key.purpose && other.state !== 'withdrawn' && follows(other, key),
    );
    const retiresAt =
      successor === undefined
        ? null
        : successor.activatesAt +
          (key.purpose === 'access' ? lifetimes.accessMs : lifetimes.internalMs);
    for (const change of [key.activatesAt, successor?.activatesAt, retiresAt])
      if (typeof change === 'number' && change > now) nextChangeAt = Math.min(nextChangeAt, change);
    return {
      ...key,
      retiresAt,
      state:
        key.state === 'withdrawn'
          ? key.state
          : stateOf(
              key.activatesAt,
              successor?.activatesAt ?? Infinity,
              retiresAt ?? Infinity,
              now,
            ),
    };
  });
  return { keys, nextChangeAt };
}

function stateOf(
  activatesAt: number,
  supersededAt: number,
  retiresAt: number,
  now: number,
): KeyState {
  if (activatesAt > now) return 'next';
  if (supersededAt > now) return 'active';
  return retiresAt > now ? 'retiring' : 'retired';
}

/**
 * The key that signs access tokens: the last active one of this algorithm. If the clock was set
 * back to before every key's activation, the oldest key signs, so that sign-ins still work.
 */
export function signerOf<K extends Placed>(
  ring: readonly K[],
  algorithm: string,
  now: number,
): K | undefined {
  const usable = ring.filter(
    (key) => key.purpose === 'access' && key.algorithm === algorithm && key.state !== 'withdrawn',
  );
  return usable.findLast((key) => key.activatesAt <= now) ?? usable[0];
}

/** The key that signs internal tokens; chosen as in {@link signerOf}. */
export function internalSignerOf<K extends Placed>(ring: readonly K[], now: number): K | undefined {
  const isUsable = ({ purpose, state }: Placed): boolean =>
    purpose === 'internal' && state !== 'withdrawn';
  return ring.findLast((key) => isUsable(key) && key.activatesAt <= now) ?? ring.find(isUsable);
}

/** Whether tokens that a key has signed are accepted. */
export function stillVerifies({ state }: Pick<KeyInfo, 'state'>): boolean {
  return state !== 'retired' && state !== 'withdrawn';
}

/**
 * The published keys: the active one, the next ones ahead of their use, superseded ones until their
 * last token has expired.
 */
export function publishedOf<K extends Placed>(ring: readonly K[]): K[] {
  return ring
    .filter(
      (key) =>
        key.purpose === 'access' &&
        (key.state === 'active' || key.state === 'next' || key.state === 'retiring'),
    )
    .sort(
      (a, b) =>
        Number(b.state === 'active') - Number(a.state === 'active') ||
        b.activatesAt - a.activatesAt,
    );
}
