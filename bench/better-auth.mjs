/**
 * The comparison with better-auth: installed on demand in its own folder, for it brings 60 packages
 * along.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startChild } from './jobs.mjs';
import { requestText } from './request.mjs';
import { PASSWORD } from './service.mjs';

const folder = fileURLToPath(new URL('better-auth', import.meta.url));

/** Installs what the lock file says, unless it is there. */
export function installBetterAuth() {
  if (existsSync(join(folder, 'node_modules', '.package-lock.json'))) return;
  execFileSync('npm', ['ci'], { cwd: folder, stdio: 'inherit' });
}

/**
 * @typedef {object} BetterAuth
 * @property {import('./jobs.mjs').Child} child
 * @property {number} port
 * @property {string[]} signIn requests
 * @property {string[]} check
 * @property {string[]} issue
 */

/**
 * Starts it on a new database, with as many users.
 *
 * @param {string} data folder of its database
 * @param {number} users
 * @returns {Promise<BetterAuth>}
 */
export async function startBetterAuth(data, users) {
  const child = await startChild('better-auth/server.mjs', {
    args: [data],
    env: { ...process.env, NODE_ENV: 'production' },
  });
  const port = Number(await child.ask({}));
  const emails = Array.from({ length: users }, (_, n) => `user${n}@example.com`);
  const cookies = await Promise.all(
    emails.map(async (email) => {
      const response = await fetch(`http://127.0.0.1:${port}/api/auth/sign-up/email`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', origin: 'http://127.0.0.1' },
        body: JSON.stringify({ email, password: PASSWORD, name: 'Somebody' }),
      });
      const text = await response.text();
      const cookie = response.headers.getSetCookie()[0]?.split(';')[0];
      if (response.status !== 200 || cookie === undefined)
        throw new Error(`better-auth's sign-up answered ${response.status}: ${text}`);
      return `Cookie: ${cookie}`;
    }),
  );
  return {
    child,
    port,
    signIn: emails.map((email) =>
      requestText(
        'POST',
        '/api/auth/sign-in/email',
        [],
        JSON.stringify({ email, password: PASSWORD }),
      ),
    ),
    check: cookies.map((cookie) => requestText('GET', '/api/auth/get-session', [cookie])),
    issue: cookies.map((cookie) => requestText('GET', '/api/auth/token', [cookie])),
  };
}
