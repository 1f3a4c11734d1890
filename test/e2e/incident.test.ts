/** `postern incident` and `postern init`. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { eventually, newDirectory, runProgram, startServer } from '../support/process.ts';
import { PASSWORD } from '../support/process.ts';

const refreshed = (server: Awaited<ReturnType<typeof startServer>>, token: string) =>
  server.call('POST', '/refresh', { body: { refresh_token: token } });

describe('postern incident', () => {
  test('a dry run says whom it affects; then a new key, no old token, no session since, no code; earlier sessions go on', async () => {
    const server = await startServer();
    const before = await server.register('before');
    const since = new Date(Date.now() + 1).toISOString();
    await eventually(() => Date.now() > Date.parse(since), 5_000);
    const during = await server.register('during');
    await server.call('POST', '/register', {
      body: { email: 'a@example.com', password: PASSWORD },
    });

    const dry = await server.cli(['incident', '--since', since, '--dry-run', '--json']);
    const shown = dry.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(shown).toEqual([
      expect.objectContaining({
        user_id: during.userId,
        username: 'during',
        sessions: 1,
        addresses: ['127.0.0.1'],
      }),
    ]);
    expect((await server.call('GET', '/verify', { token: during.access })).status).toBe(204);

    const unasked = await server.cli(['incident', '--since', since]);
    expect([unasked.code, unasked.stderr]).toEqual([2, expect.stringContaining('add --yes')]);

    const run = await server.cli(['incident', '--since', since, '--yes', '--json']);
    expect([run.code, run.stderr]).toEqual([0, run.stderr]);
    const done = JSON.parse(run.stdout.trim().split('\n').at(-1) ?? '');
    expect(done).toMatchObject({ sessions_ended: 1, codes_voided: 1 });
    // The running service notices by itself.
    await eventually(
      async () => (await server.call('GET', '/verify', { token: before.access })).status === 401,
      10_000,
    );
    const jwks = (await server.call('GET', '/.well-known/jwks.json')).body;
    expect(jwks.keys.map(({ kid }: { kid: string }) => kid)).toEqual([done.kid]);
    const kept = await refreshed(server, before.refresh);
    expect(kept.status).toBe(200);
    expect((await server.call('GET', '/verify', { token: kept.body.access_token })).status).toBe(
      204,
    );
    expect((await refreshed(server, during.refresh)).body.code).toBe('session_revoked');
    await server.stop();
  });

  test.each(['', 'yesterday', '2099-01-01T00:00:00Z', '2031-13-40T00:00:00Z', '-5m', '12'])(
    'a time that is none, or to come, is refused: %s',
    async (since) => {
      const directory = newDirectory();
      const run = await runProgram(['incident', `--since=${since}`], { directory });
      expect([run.code, run.stderr]).toEqual([2, expect.stringContaining('--since needs a')]);
    },
  );
});

describe('postern init', () => {
  test('writes a configuration that is fine, secrets for its user alone, and no value into the TOML', async () => {
    const directory = newDirectory();
    const run = await runProgram(['init', '--json'], { directory });
    expect(run.code).toBe(0);
    const { files } = JSON.parse(run.stdout);
    expect(files).toEqual(
      ['config.toml', 'secrets/key-encryption-key', 'secrets/pepper'].map((name) =>
        join(directory, name),
      ),
    );
    const toml = readFileSync(files[0], 'utf8');
    for (const secret of files.slice(1)) {
      expect(statSync(secret).mode & 0o777).toBe(0o600);
      const value = readFileSync(secret, 'utf8').trim();
      expect(Buffer.from(value, 'base64url')).toHaveLength(32);
      expect(toml + run.stdout + run.stderr).not.toContain(value);
    }
    expect(statSync(join(directory, 'secrets')).mode & 0o777).toBe(0o700);
    const check = await runProgram(['config', 'check'], { directory });
    expect([check.code, check.stderr]).toEqual([0, '']);
    const server = await startServer({ directory });
    await server.register('ada');
    expect((await server.login('ada')).status).toBe(200);
    await server.stop();
    // The key is where it was told, and not beside the database as well.
    expect(() => statSync(join(directory, 'data/key-encryption.key'))).toThrow();
  });

  test('never replaces anything', async () => {
    const directory = newDirectory();
    await runProgram(['init'], { directory });
    const before = readFileSync(join(directory, 'secrets/pepper'), 'utf8');
    const run = await runProgram(['init'], { directory });
    expect([run.code, run.stderr]).toEqual([
      1,
      expect.stringContaining('is there already. Nothing was written.'),
    ]);
    expect(readFileSync(join(directory, 'secrets/pepper'), 'utf8')).toBe(before);
  });
});
