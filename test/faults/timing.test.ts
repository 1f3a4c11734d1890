/**
 * E06 and E07 in short: the time of an answer, and of the caller's next requests, does not tell a
 * known name from an unknown one. The long form is timing.mjs.
 */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { folderTransport } from '../../src/delivery/eml-folder.ts';
import { PASSWORD, createTestApp } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';
import { seeded } from '../support/program.mjs';
import {
  areaUnderCurve,
  compare,
  compareWithNext,
  median,
  nullSigma,
  tellsNothing,
} from './timing.mjs';
import type { Comparison } from './timing.mjs';

const PAIRS = 120;
const WARM_UPS = 15;
/**
 * Four standard deviations of chance: what is alike fails once in 16,000 times, and then twice in a
 * row.
 */
const BAND = 4 * nullSigma(PAIRS, PAIRS);
const WRONG = 'wrong horse battery staple';

let app: TestApp;
let mail: string;
beforeAll(async () => {
  // Hashes at the default cost: what a cheap one costs drowns in the noise of a busy machine, and
  // with it what is to be seen.
  mail = mkdtempSync(join(tmpdir(), 'postern-timing-mail-'));
  app = await createTestApp({
    transports: [
      folderTransport({ dir: mail, from: { address: 'auth@example.com', name: 'postern' } }),
    ],
    config:
      '[password]\nmemory = "19MiB"\npasses = 2\nthreads = 2\ndeadline = "10s"\n[throttle]\nattempts = 100\n[mail]\nmax_per_hour = 1000\n',
  });
  await Promise.all(Array.from({ length: 6 }, (_, i) => app.register(`known${i}`)));
  await app.db.write(
    Array.from({ length: 8 * (PAIRS + WARM_UPS) }, (_, i) => ({
      sql: `INSERT INTO "user" (id, email, email_canonical, user_metadata, claims, created_at, updated_at) VALUES (?, ?, ?, '{}', '{}', 0, 0)`,
      params: [`timing-${i}`, `proved${i}@example.com`, `proved${i}@example.com`],
      map: () => [],
      returns: false,
    })),
  );
});
afterAll(async () => {
  await app.stop();
  rmSync(mail, { recursive: true });
});

let fresh = 0;
let proved = 0;
async function post(path: string, body: object, status: number): Promise<void> {
  const reply = await app.call('POST', path, { body });
  if (reply.status !== status) throw new Error(`${path} answered ${reply.status}`);
}

const forgot = (username: string) => post('/password/forgot', { username }, 202);
const nextProved = (): string => `proved${proved++}@example.com`;
const nextFree = (): string => `free${fresh++}@example.com`;

async function healthy(): Promise<void> {
  const reply = await app.call('GET', '/healthz');
  if (reply.status !== 200) throw new Error(`/healthz answered ${reply.status}`);
}

/** What the service does after an answer is seen by the caller's next requests alone (E07). */
async function areas(
  known: () => Promise<void>,
  unknown: () => Promise<void>,
): Promise<readonly Comparison[]> {
  const { answer, next } = await compareWithNext(
    known,
    unknown,
    [healthy, () => forgot(nextFree())],
    { pairs: PAIRS, warmUps: WARM_UPS, random: seeded(1 + fresh) },
  );
  return [answer, ...next];
}

async function expectNothingToldAfterwards(
  known: () => Promise<void>,
  unknown: () => Promise<void>,
): Promise<void> {
  const isAlike = ({ auc }: Comparison): boolean => Math.abs(auc - 0.5) <= BAND;
  const first = await areas(known, unknown);
  const last = first.every(isAlike) ? first : await areas(known, unknown);
  const outside = last.filter((comparison, at) => {
    const before = first[at];
    return !isAlike(comparison) && (before === undefined || !isAlike(before));
  });
  expect(outside).toEqual([]);
}

async function area(known: () => Promise<void>, unknown: () => Promise<void>): Promise<Comparison> {
  return compare(known, unknown, { pairs: PAIRS, warmUps: WARM_UPS, random: seeded(1 + fresh) });
}

/** Repeated once: a machine that does other things may be in the way. */
async function expectNothingTold(
  known: () => Promise<void>,
  unknown: () => Promise<void>,
): Promise<void> {
  const isAlike = ({ auc }: Comparison): boolean => Math.abs(auc - 0.5) <= BAND;
  const first = await area(known, unknown);
  const last = isAlike(first) ? first : await area(known, unknown);
  expect(last.auc).toBeGreaterThanOrEqual(0.5 - BAND);
  expect(last.auc).toBeLessThanOrEqual(0.5 + BAND);
}

const wrong = (name: string) => (): Promise<void> =>
  post('/login', { username: `${name}${fresh++ % 6}`, password: WRONG }, 401);
describe('E06: time', { timeout: 180_000 }, () => {
  test('login: a wrong password and an unknown name', () =>
    expectNothingTold(wrong('known'), wrong('nobody')));

  test('forgot: a known address and an unknown one', () =>
    expectNothingToldAfterwards(
      () => forgot(nextProved()),
      () => forgot(nextFree()),
    ));

  test('register by address: a taken one and a free one', () =>
    expectNothingToldAfterwards(
      () => post('/register', { email: nextProved(), password: PASSWORD }, 202),
      () => post('/register', { email: nextFree(), password: PASSWORD }, 202),
    ));

  test('E07: a new address: a taken one and a free one', async () => {
    const { access } = await app.register('changes');
    const change = async (email: string): Promise<void> => {
      const reply = await app.call('PATCH', '/me', { token: access, body: { email } });
      if (reply.status !== 200) throw new Error(`PATCH /me answered ${reply.status}`);
    };
    await expectNothingToldAfterwards(
      () => change(nextProved()),
      () => change(nextFree()),
    );
  });

  test('the statistic sees a hasher that does no work for nobody', async () => {
    const { verify } = app.kernel.passwordHasher;
    const spy = vi
      .spyOn(app.kernel.passwordHasher, 'verify')
      .mockImplementation((stored, password, context) =>
        stored === null
          ? Promise.resolve({ ok: false, rehash: null })
          : verify.call(app.kernel.passwordHasher, stored, password, context),
      );
    await Promise.all(Array.from({ length: 6 }, (_, i) => app.register(`other${i}`)));
    const seen = await area(wrong('other'), wrong('nobody-else'));
    spy.mockRestore();
    expect(seen.auc).toBeGreaterThan(0.5 + BAND);
  });

  test('the statistic itself: chance, ties, and samples that are ten milliseconds apart', () => {
    const random = seeded(7);
    const sample = (shift: number): number[] =>
      Array.from({ length: 500 }, () => 20 + 8 * random.next() + 8 * random.next() + shift);
    const [a, b] = [sample(0), sample(0)];
    expect(Math.abs(areaUnderCurve(a, b) - 0.5)).toBeLessThan(4 * nullSigma(500, 500));
    expect(areaUnderCurve([1, 1], [1, 1])).toBe(0.5);
    expect([areaUnderCurve([2], [1]), areaUnderCurve([1], [2])]).toEqual([1, 0]);
    expect([median([3, 1, 2]), median([4, 1, 2, 3])]).toEqual([2, 2.5]);
    const slow = sample(10);
    expect(
      tellsNothing({
        auc: areaUnderCurve(slow, b),
        medianDifferenceMs: median(slow) - median(b),
        medianMs: 0,
      }),
    ).toBe(false);
    expect(tellsNothing({ auc: 0.5, medianDifferenceMs: 0.1, medianMs: 0 })).toBe(true);
  });
});
