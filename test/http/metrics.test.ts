/** Metrics as Prometheus reads them: what happened is counted, once, under names of the list. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createPrometheus } from '../../src/app/prometheus.ts';
import type { Prometheus } from '../../src/app/prometheus.ts';
import { metricSources } from '../../src/app/metric-sources.ts';
import { listenLimits } from '../../src/app/http.ts';
import { listen } from '../../src/http/listen.ts';
import type { Listeners } from '../../src/http/listen.ts';
import { metricsServer } from '../../src/http/metrics-server.ts';
import { METRICS } from '../../src/lib/metrics.ts';
import { PASSWORD, createTestApp } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';
import { sendRaw } from '../support/raw.ts';

let app: TestApp;
let prometheus: Prometheus;
let listeners: Listeners;
let lastBackup: number | null = null;
const failures: unknown[] = [];
const example = (name: string): string =>
  readFileSync(new URL(`../../examples/grafana/${name}`, import.meta.url), 'utf8');

beforeAll(async () => {
  prometheus = await createPrometheus({
    version: '1.2.3',
    nodeVersion: 'v24.0.0',
    onError: (error) => failures.push(error),
  });
  app = await createTestApp({
    metrics: prometheus.metrics,
    server: { onRequest: prometheus.metrics.request },
  });
  prometheus.observe(metricSources(app.kernel, app.config, () => lastBackup));
  listeners = await listen(
    metricsServer(app.server, prometheus),
    [{ kind: 'tcp', host: '127.0.0.1', port: 0 }],
    { ...listenLimits(app.config), maxConnections: 8 },
    { inheritedSockets: 0, umask: (mask) => process.umask(mask) },
  );
});
afterAll(async () => {
  await listeners.close(1_000);
  await app.stop();
});

const place = (): string => listeners.addresses[0] ?? '';

/** Every sample by its name and labels, as in `name{a="b"}`. */
async function samples(): Promise<Map<string, number>> {
  const response = await fetch(`${place()}/metrics`);
  expect([response.status, response.headers.get('content-type')]).toEqual([
    200,
    expect.stringContaining('text/plain; version=0.0.4'),
  ]);
  const lines = (await response.text()).split('\n');
  return new Map(
    lines
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => [
        line.slice(0, line.lastIndexOf(' ')),
        Number(line.slice(line.lastIndexOf(' '))),
      ]),
  );
}

/** What was counted while something was done. */
async function counted(work: () => Promise<unknown>): Promise<(name: string) => number> {
  const before = await samples();
  await work();
  const after = await samples();
  return (name) => (after.get(name) ?? 0) - (before.get(name) ?? 0);
}

describe('what happens is counted', () => {
  test('sign-ins by factor and outcome; the limit that was reached; hashes and commits', async () => {
    const { username } = await app.register();
    const by = await counted(async () => {
      await app.login(username);
      for (let n = 0; n < 11; n++) await app.login(username, 'wrong');
    });
    expect(by('postern_sign_ins_total{factor="password",outcome="succeeded"}')).toBe(1);
    expect(by('postern_sign_ins_total{factor="password",outcome="refused"}')).toBe(10);
    expect(by('postern_sign_ins_total{factor="password",outcome="throttled"}')).toBe(1);
    expect(by('postern_throttled_total{rule="password"}')).toBe(1);
    expect(
      by('postern_password_hash_duration_seconds_count{algorithm="argon2id"}'),
    ).toBeGreaterThan(9);
    expect(by('postern_hash_queue_wait_seconds_count')).toBeGreaterThan(9);
    expect(by('postern_db_commit_duration_seconds_count')).toBeGreaterThan(10);
    expect(by('postern_db_commit_statements_sum')).toBeGreaterThan(10);
  });

  test('refreshes: rotated, grace, reused, refused', async () => {
    const { refresh } = await app.register();
    const use = (token: string) => app.call('POST', '/refresh', { body: { refresh_token: token } });
    const by = await counted(async () => {
      await use(refresh);
      await use(refresh);
      app.clock.advance(61_000);
      expect((await use(refresh)).body.code).toBe('refresh_token_reused');
      expect((await use(refresh)).status).toBe(401);
    });
    for (const outcome of ['rotated', 'grace', 'reused'])
      expect([outcome, by(`postern_refreshes_total{outcome="${outcome}"}`)]).toEqual([outcome, 1]);
    expect(by('postern_refreshes_total{outcome="refused"}')).toBe(1);
  });

  test('verifications by endpoint, outcome and cache', async () => {
    const { access } = await app.register();
    const by = await counted(async () => {
      for (let n = 0; n < 2; n++) await app.call('GET', '/verify', { token: access });
      await app.call('POST', '/verify', { body: { token: access } });
      await app.call('POST', '/verify', { body: { token: 'a.b.c' } });
      await app.call('POST', '/logout/all', { token: access });
      await app.call('GET', '/verify', { token: access });
      app.clock.advance(3_600_000);
      await app.call('POST', '/verify', { body: { token: access } });
    });
    const of = (endpoint: string, outcome: string, cache: string): number =>
      by(
        `postern_verifications_total{endpoint="${endpoint}",outcome="${outcome}",cache="${cache}"}`,
      );
    expect(of('forward_auth', 'valid', 'miss') + of('forward_auth', 'valid', 'hit')).toBe(2);
    expect(of('forward_auth', 'valid', 'hit')).toBeGreaterThan(0);
    expect(of('verify', 'valid', 'hit')).toBe(1);
    expect(of('verify', 'invalid', 'miss')).toBe(1);
    expect(of('forward_auth', 'revoked', 'hit')).toBe(1);
    expect(of('verify', 'expired', 'hit')).toBe(1);
  });

  test('requests by method, template and status; unknown ones without their path or word', async () => {
    const by = await counted(async () => {
      await app.call('GET', '/healthz');
      await app.call('GET', '/keys/nothing.pem');
      await app.call('GET', '/no/such/path-9f3c');
      await app.call('PROPFIND', '/healthz');
    });
    const of = (method: string, route: string, status: number): number =>
      by(
        `http_server_request_duration_seconds_count{http_request_method="${method}",http_route="${route}",http_response_status_code="${status}"}`,
      );
    expect(of('GET', '/healthz', 200)).toBe(1);
    expect(of('GET', '/keys/{kid}.pem', 404)).toBe(1);
    expect(of('GET', '', 404)).toBe(1);
    expect(of('_OTHER', '', 405)).toBe(1);
    expect([...(await samples()).keys()].join('\n')).not.toContain('9f3c');
  });

  test('a full hash queue', async () => {
    const by = await counted(() => app.whileHashQueueIsFull(() => app.login('anybody')));
    expect(by('postern_hash_rejected_total{reason="queue_full"}')).toBeGreaterThan(0);
  });
});

describe('what is', () => {
  test('emails that wait, and for how long', async () => {
    await app.call('POST', '/register', {
      body: { email: 'ada@example.com', password: PASSWORD },
    });
    app.clock.advance(90_000);
    const now = await samples();
    expect(now.get('postern_outbox_messages{state="pending"}')).toBe(1);
    expect(now.get('postern_outbox_messages{state="dead"}')).toBe(0);
    expect(now.get('postern_outbox_oldest_age_seconds')).toBe(90);
    await app.emails('ada@example.com');
    expect((await samples()).get('postern_outbox_oldest_age_seconds')).toBe(0);
  });

  test('sessions, the signing key’s end, the last backup, the build, the process', async () => {
    const active = app.kernel.signingKeys.list().find(({ state }) => state === 'active');
    lastBackup = 1_900_000_000_000;
    const now = await samples();
    expect(now.get('postern_sessions_active')).toBeGreaterThan(0);
    expect(now.get('postern_signing_key_expiry_timestamp_seconds')).toBeCloseTo(
      ((active?.activatesAt ?? 0) + 90 * 86_400_000) / 1000,
    );
    expect(now.get('postern_backup_last_success_timestamp_seconds')).toBe(1_900_000_000);
    expect(now.get('postern_build_info{version="1.2.3",node="v24.0.0"}')).toBe(1);
    for (const name of ['process_resident_memory_bytes', 'nodejs_eventloop_lag_p99_seconds'])
      expect([...now.keys()].some((key) => key.startsWith(name))).toBe(true);
    expect(failures).toEqual([]);
  });
});

describe('names and labels', () => {
  test('every metric of the list is there, with its labels, and none of ours besides', async () => {
    const text = await prometheus.text();
    const ours = [...text.matchAll(/^# TYPE (postern_\w+|http_\w+) (\w+)$/gm)].map(
      ([, name, type]) => [name, type],
    );
    expect(Object.fromEntries(ours)).toEqual(
      Object.fromEntries(Object.entries(METRICS).map(([name, { type }]) => [name, type])),
    );
  });

  test('no label contains anything that a caller sent', async () => {
    const canary = 'canary-7d1e';
    const { username, access } = await app.register(`${canary}-user`);
    await app.login(username, canary);
    await app.login(canary, canary);
    await app.call('POST', `/${canary}?${canary}`, { headers: { 'user-agent': canary } });
    await app.call('DELETE', `/me/sessions/${canary}`, { token: access });
    const { id } = (await app.call('GET', '/me', { token: access })).body;
    const text = await prometheus.text();
    expect(text).not.toContain(canary);
    expect(text).not.toContain(id);
    expect(text).not.toContain('127.0.0.1');
  });

  /** The names that an expression uses, without what Prometheus itself has. */
  const namesIn = (text: string): string[] =>
    [...text.matchAll(/\b((?:postern|http_server|nodejs|process)_[a-z0-9_]+)/g)].map(
      ([, name = '']) => name,
    );
  test.each(['dashboard.json', 'alerts.yaml'])(
    'every metric that %s asks for exists',
    async (file) => {
      const text = await prometheus.text();
      const known = new Set<string>();
      for (const [, name = '', type] of text.matchAll(/^# TYPE (\S+) (\w+)$/gm)) {
        known.add(name);
        if (type === 'histogram')
          for (const end of ['bucket', 'sum', 'count']) known.add(`${name}_${end}`);
      }
      const asked = namesIn(example(file).replaceAll('http_route', 'route'));
      expect(asked.length).toBeGreaterThan(10);
      expect(asked.filter((name) => !known.has(name))).toEqual([]);
      const labels = [...example(file).matchAll(/(\w+)(?:=~|!~|!=|=)\\?"/g)].map(
        ([, label]) => label,
      );
      const ours = Object.values(METRICS).flatMap((one) =>
        'labels' in one ? Object.keys(one.labels) : [],
      );
      expect(labels.filter((label = '') => label !== 'job' && !ours.includes(label))).toEqual([]);
    },
  );
});

describe('its listener (ASVS 13.4.5)', () => {
  test('the service’s own listener does not have it', async () => {
    expect((await app.call('GET', '/metrics')).status).toBe(404);
  });

  test('it has nothing else, and takes no other method', async () => {
    expect((await fetch(`${place()}/healthz`)).status).toBe(404);
    expect((await fetch(`${place()}/metrics?x=1`)).status).toBe(404);
    expect((await fetch(`${place()}/metrics`, { method: 'POST', body: 'x' })).status).toBe(405);
  });

  test('what is no request is answered as on any listener', async () => {
    const { text } = await sendRaw(place(), 'nonsense\r\n\r\n');
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
  });

  test('a source that fails leaves its metric unchanged, and is logged', async () => {
    const broken = await createPrometheus({
      version: '1',
      nodeVersion: 'v24',
      onError: (error) => failures.push(error),
    });
    broken.observe({
      ...metricSources(app.kernel, app.config, () => null),
      outbox: () => Promise.reject(new Error('the disk is gone')),
    });
    expect(await broken.text()).toContain('postern_hash_queue_depth 0');
    expect(failures).toEqual([new Error('the disk is gone')]);
  });
});
