/** A hasher at a test's cost, closed after the test, with what it reported. */
import { afterEach } from 'vitest';
import { createPasswordHasher } from '../../src/crypto/password-hash.ts';
import type { PasswordHasherOptions, StoredRefusal } from '../../src/crypto/password-hash.ts';
import type { HashKind, PasswordHasher } from '../../src/crypto/password-hasher.ts';
import { createSystemRandom } from '../../src/crypto/secret.ts';
import { systemClock } from '../../src/lib/clock.ts';

const open: PasswordHasher[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((hasher) => hasher.close()));
});

export interface Rig {
  hasher: PasswordHasher;
  done: { kind: HashKind; waitMs: number; runMs: number }[];
  refused: StoredRefusal[];
}

/** One lane, unless asked otherwise; it takes about a millisecond. */
export function rig(options: Partial<PasswordHasherOptions> = {}): Rig {
  const done: Rig['done'] = [];
  const refused: StoredRefusal[] = [];
  const hasher = createPasswordHasher({
    threads: 1,
    memoryKiB: 256,
    passes: 3,
    lanes: 1,
    queueLength: 64,
    deadlineMs: 30_000,
    clock: systemClock,
    random: createSystemRandom(),
    onDone: (one) => done.push(one),
    onRefused: (reason) => refused.push(reason),
    ...options,
  });
  open.push(hasher);
  return { hasher, done, refused };
}
