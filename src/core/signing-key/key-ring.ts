/**
 * Where each signing key stands in its life, out of the times in the rows alone: pure, so that
 * every instance on the database comes to the same answer.
 */

export type KeyPurpose = 'access' | 'internal';
export type KeyState = 'next' | 'active' | 'retiring' | 'retired' | 'withdrawn';

/**
 * How long a superseded key goes on verifying: the longest token it can have signed, and a minute
 * for clocks.
 */
export interface KeyLifetimes {
  readonly accessMs: number;
  readonly internalMs: number;
}

/** A key as an operator or the JWKS sees it. */
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

/** Of two keys, whether the first follows the second. */
function follows(a: Placed, b: Placed): boolean {
  return (
    a.activatesAt > b.activatesAt ||
    (a.activatesAt === b.activatesAt && a.generation > b.generation)
  );
}

/**
 * Gives each key its state and its end, and says when something will change next.
 *
 * @param ring in the order in which they become active; `withdrawn` is kept, any other state is
 *   found anew
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
 * The key that signs access tokens: the last one of this algorithm whose time has come. A clock
 * that was set back before every key's time must not stop sign-ins: the oldest key signs then.
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

/** The key that signs what only this service reads; chosen as {@link signerOf} does. */
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
 * The keys to show: the active one, the next ones ahead of their use, superseded ones until their
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
