/** Our verifier against the conformance kit: every case and every scenario. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { VerifierError, createVerifier } from '../../packages/verifier/src/index.ts';
import type { Verifier } from '../../packages/verifier/src/index.ts';
import { startKit } from '../../src/cli/kit-server.ts';
import type { RunningKit } from '../../src/cli/kit-server.ts';
import { testClock } from '../support/app.ts';
import { testRandom } from '../support/random.ts';

interface Step {
  readonly do: 'verify' | 'post' | 'wait' | 'counter';
  readonly token?: string | { readonly kept: string };
  readonly expect?: string;
  readonly path?: string;
  readonly keep?: string;
  readonly seconds?: number;
  readonly name?: string;
  readonly at_most?: number;
}
interface Manifest {
  readonly issuer: string;
  readonly audience: string;
  readonly cases: readonly {
    readonly name: string;
    readonly expect: string;
    readonly token: string;
  }[];
  readonly scenarios: readonly { readonly name: string; readonly steps: readonly Step[] }[];
}

const clock = testClock();
let kit: RunningKit;
let manifest: Manifest;
beforeAll(async () => {
  kit = await startKit({ port: 0, clock, random: testRandom() });
  manifest = (await (await fetch(`${kit.url}/manifest.json`)).json()) as Manifest;
});
afterAll(() => kit.close());

function newVerifier(): Verifier {
  const { issuer, audience } = manifest;
  return createVerifier({ issuer, audience, now: () => clock.now(), poll: 'on-demand' });
}

const verdict = async (verifier: Verifier, token: string): Promise<string> => {
  try {
    await verifier.verify(token);
    return 'accept';
  } catch (error) {
    if (error instanceof VerifierError) return error.status === 401 ? 'refuse' : error.code;
    throw error;
  }
};

test('every case is judged as it has to be', async () => {
  expect(manifest.cases.length).toBeGreaterThan(40);
  const verifier = newVerifier();
  for (const { name, expect: wanted, token } of manifest.cases) {
    const found = await verdict(verifier, token);
    // A minute of leeway is ours.
    expect([name, found]).toEqual([name, wanted === 'either' ? 'accept' : wanted]);
  }
});

test('no two cases have the same name', () => {
  const names = manifest.cases.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});

describe('scenarios', () => {
  const play = async (verifier: Verifier, step: Step, kept: Map<string, string>): Promise<void> => {
    const url = `${kit.url}${step.path ?? ''}`;
    if (step.do === 'wait') clock.advance((step.seconds ?? 0) * 1_000);
    if (step.do === 'counter') {
      const counters = (await (await fetch(url)).json()) as Record<string, number>;
      expect(counters[step.name ?? '']).toBeLessThanOrEqual(step.at_most ?? 0);
    }
    if (step.do === 'post') {
      const reply = await fetch(url, { method: 'POST' });
      expect(reply.ok).toBe(true);
      const text = await reply.text();
      if (step.keep !== undefined) kept.set(step.keep, JSON.parse(text)[step.keep]);
    }
    if (step.do === 'verify') {
      const { token = '' } = step;
      const text = typeof token === 'string' ? token : (kept.get(token.kept) ?? '');
      expect(await verdict(verifier, text)).toBe(step.expect);
    }
  };

  test.each([0, 1, 2, 3])('number %i', async (index) => {
    const scenario = manifest.scenarios[index];
    if (scenario === undefined) throw new Error('there is no such scenario');
    const verifier = newVerifier();
    const kept = new Map<string, string>();
    for (const step of scenario.steps) await play(verifier, step, kept);
  });

  test('are all played', () => expect(manifest.scenarios.length).toBe(4));
});
