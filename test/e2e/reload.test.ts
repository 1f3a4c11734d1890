/** SIGHUP: what can change without a restart does, and a faulty configuration changes nothing. */
import { writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, startServer } from '../support/process.ts';
import type { LogLine, Server } from '../support/process.ts';

const BASE = '[log]\nlevel = "info"\n';
let server: Server;
beforeAll(async () => {
  server = await startServer({ config: BASE });
});
afterAll(() => server.stop());

/** Writes the file, sends the signal, and waits for the line that answers it. */
async function reload(config: string, event: string): Promise<LogLine> {
  writeFileSync(join(server.directory, 'config.toml'), config);
  const seen = server.log().filter((line) => line.event === event).length;
  server.signal('SIGHUP');
  await eventually(() => server.log().filter((line) => line.event === event).length > seen, 20_000);
  const line = server.log().findLast((candidate) => candidate.event === event);
  if (line === undefined) throw new Error(`there is no ${event}`);
  return line;
}

const ORIGIN = 'https://app.example.com';
const corsOf = async (agent?: Agent): Promise<unknown> =>
  (
    await server.call('GET', '/healthz', {
      headers: { origin: ORIGIN },
      ...(agent === undefined ? {} : { agent }),
    })
  ).headers['access-control-allow-origin'];

describe('SIGHUP', () => {
  test('CORS, the log level and trusted proxies change; accounts, sessions and open connections stay', async () => {
    const { refresh, access } = await server.register('ada');
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    expect(await corsOf(agent)).toBeUndefined();
    const line = await reload(
      `[log]\nlevel = "debug"\n[server]\ncors_origins = ["${ORIGIN}"]\n`,
      'config.reloaded',
    );
    expect(line['count']).toBe(2);
    expect(await corsOf(agent)).toBe(ORIGIN);
    agent.destroy();
    expect((await server.call('GET', '/verify', { token: access })).status).toBe(204);
    const reply = await server.call('POST', '/refresh', { body: { refresh_token: refresh } });
    expect(reply.status).toBe(200);
    expect((await server.login('ada')).status).toBe(200);
    // Probes are logged at debug.
    await eventually(() => server.log().some((one) => one['http.route'] === '/healthz'), 20_000);
  });

  test('a faulty file is refused with its line, and everything goes on as it was', async () => {
    const { message, level } = await reload('[server]\ncors_orgins = []\n', 'config.refused');
    expect(level).toBe('error');
    expect(message).toContain('config.toml:2:1  server.cors_orgins is not a setting');
    expect(await corsOf()).toBe(ORIGIN);
    expect((await server.login('ada')).status).toBe(200);
  });

  test('a file that it names and that is not there is refused as well', async () => {
    const { message } = await reload(
      '[password]\nbreached_file = "missing.filter"\n',
      'config.refused',
    );
    expect(message).toContain('missing.filter is not a readable filter');
    expect((await server.login('ada')).status).toBe(200);
  });

  test('what counts from the next start only is named', async () => {
    const late = await reload(`${BASE}[database]\nbusy_timeout = "1s"\n`, 'config.restart_needed');
    expect(late.message).toContain('database.busy_timeout');
  });

  test('a storm of signals under load: no request is lost', async () => {
    let isOver = false;
    const statuses = new Set<number>();
    const load = Array.from({ length: 4 }, async () => {
      while (!isOver) statuses.add((await server.call('GET', '/.well-known/jwks.json')).status);
    });
    for (let n = 0; n < 4; n++)
      await reload(`${BASE}[server]\nname = "postern ${n}"\n`, 'config.reloaded');
    isOver = true;
    await Promise.all(load);
    expect([...statuses]).toEqual([200]);
  });
});

test('postern config show --diff shows what was set, and nothing else', async () => {
  writeFileSync(
    join(server.directory, 'config.toml'),
    '[log]\nlevel = "debug"\n[tokens]\naudience = "postern"\n',
  );
  const { stdout } = await server.cli(['config', 'show', '--diff']);
  expect(stdout).toContain('[log]\nlevel = "debug"\n');
  expect(stdout).not.toContain('audience');
  expect(stdout).not.toContain('[mfa]');
  const json = JSON.parse((await server.cli(['config', 'show', '--diff', '--json'])).stdout);
  expect(Object.keys(json.settings)).toContain('log.level');
  expect(Object.keys(json.settings)).not.toContain('tokens.audience');
});
