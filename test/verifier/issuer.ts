/**
 * A whole service for a verifier to ask: its documents are fetched from the test's own server under
 * the issuer's name, counted, and can fail.
 */
import { createVerifier } from '../../packages/verifier/src/index.ts';
import type { Fetch, Verifier, VerifierOptions } from '../../packages/verifier/src/index.ts';
import { createTestApp } from '../support/app.ts';
import type { TestApp, TestAppOptions } from '../support/app.ts';

export const ISSUER = 'https://auth.example.com';

export interface Issuer {
  readonly app: TestApp;
  /** Paths that were fetched, in their order. */
  readonly fetched: string[];
  readonly fetch: Fetch;
  /** From now on every fetch fails, or none. */
  state: 'up' | 'down';
  verifier(options?: Partial<VerifierOptions>): Verifier;
  stop(): Promise<void>;
}

export async function createIssuer(options: TestAppOptions = {}): Promise<Issuer> {
  const app = await createTestApp(options);
  const fetched: string[] = [];
  const verifiers: Verifier[] = [];
  const issuer: Issuer = {
    app,
    fetched,
    state: 'up',
    fetch: async (url, init) => {
      fetched.push(new URL(url).pathname);
      if (issuer.state === 'down') throw new TypeError('fetch failed');
      return globalThis.fetch(url.replace(ISSUER, app.url), init);
    },
    verifier: (more = {}) => {
      const made = createVerifier({
        issuer: ISSUER,
        audience: 'postern',
        fetch: issuer.fetch,
        now: () => app.clock.now(),
        poll: 'on-demand',
        ...more,
      });
      verifiers.push(made);
      return made;
    },
    stop: async () => {
      for (const one of verifiers) one.close();
      await app.stop();
    },
  };
  return issuer;
}
