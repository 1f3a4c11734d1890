/** An app with administration switched on, and calls with an API key. */
import { createTestApp } from '../support/app.ts';
import type { Reply, TestApp, TestAppOptions } from '../support/app.ts';
import { makeKey } from '../support/api-key.ts';
import type { MadeKey } from '../support/api-key.ts';

export interface AdminRig {
  readonly app: TestApp;
  readonly key: MadeKey;
  /** A call with the key of the scope admin. */
  admin(method: string, path: string, body?: unknown): Promise<Reply>;
  stop(): Promise<void>;
}

export async function createAdminRig(options: TestAppOptions = {}): Promise<AdminRig> {
  const config = `${options.config ?? ''}\n[admin]\nenabled = true\n`;
  const app = await createTestApp({ ...options, config });
  const key = await makeKey(app, 'console', { scopes: ['admin'], lifetimeMs: null });
  return {
    app,
    key,
    admin: (method, path, body) =>
      app.call(method, path, {
        headers: { 'postern-key': key.text },
        ...(body === undefined ? {} : { body }),
      }),
    stop: () => app.stop(),
  };
}

/** The lines of the log with this event, the newest last. */
export const linesOf = (app: TestApp, event: string) =>
  app.log.filter((line) => line.event === event);
