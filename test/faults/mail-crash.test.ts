import Libsql from 'libsql';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { PASSWORD, eventually, newDirectory, startServer } from '../support/process.ts';
import { startSink } from '../support/smtp-sink.ts';
import type { Sink } from '../support/smtp-sink.ts';

let sink: Sink | undefined;
afterEach(async () => sink?.stop());

/**
 * A lease is two minutes, so that nobody sends what another one has in hand; the test lets them run
 * out.
 */
function endLeases(directory: string, alsoExpire: readonly string[] = []): void {
  const db = new Libsql(join(directory, 'data/postern.db'));
  db.exec('UPDATE outbox SET leased_until = 0, next_at = 0');
  for (const address of alsoExpire)
    db.prepare('UPDATE outbox SET expires_at = 1 WHERE recipient = ?').run(address);
  db.close();
}

test('kill -9 between answer and delivery: every email of an answered request is sent, at most twice; expired ones are not', async () => {
  const directory = newDirectory();
  sink = await startSink();
  const env = {
    POSTERN_MAIL_TRANSPORTS: 'smtp',
    POSTERN_MAIL_SMTP_HOST: '127.0.0.1',
    POSTERN_MAIL_SMTP_PORT: String(sink.port),
    POSTERN_MAIL_SMTP_TLS: 'none',
  };
  const answered: string[] = [];
  for (let round = 0; round < 4; round++) {
    const server = await startServer({ directory, env });
    const asked = Array.from({ length: 12 }, async (_, i) => {
      const email = `round${round}-${i}@example.com`;
      const reply = await server
        .call('POST', '/register', { body: { email, password: PASSWORD } })
        .catch(() => undefined);
      if (reply?.status === 202) answered.push(email);
    });
    // Right after some answers, while letters are on their way.
    await eventually(
      () => answered.filter((email) => email.startsWith(`round${round}-`)).length >= 3,
      20_000,
    );
    await server.kill();
    await Promise.allSettled(asked);
  }
  expect(answered.length).toBeGreaterThanOrEqual(12);
  const before = new Set(sink.received.flatMap(({ to }) => to));
  const expired = answered.filter((email) => !before.has(email)).slice(0, 1);
  endLeases(directory, expired);
  const server = await startServer({ directory, env });
  const counts = (): Map<string, number> => {
    const all = new Map<string, number>();
    for (const { to } of sink?.received ?? [])
      for (const address of to) all.set(address, (all.get(address) ?? 0) + 1);
    return all;
  };
  await eventually(
    () => answered.every((email) => expired.includes(email) || counts().has(email)),
    20_000,
  );
  for (const [address, count] of counts()) expect([address, count <= 2]).toEqual([address, true]);
  for (const email of expired) expect(counts().get(email)).toBeUndefined();
  const { stdout } = await server.cli(['outbox', 'list', '--json']);
  expect(stdout.trim()).toBe('');
  await server.stop();
}, 120_000);

test('a mail server that hangs delays no answer', async () => {
  sink = await startSink({ hang: true });
  const server = await startServer({
    env: {
      POSTERN_MAIL_TRANSPORTS: 'smtp',
      POSTERN_MAIL_SMTP_HOST: '127.0.0.1',
      POSTERN_MAIL_SMTP_PORT: String(sink.port),
      POSTERN_MAIL_SMTP_TLS: 'none',
    },
  });
  for (let i = 0; i < 10; i++) {
    const started = performance.now();
    expect(
      (
        await server.call('POST', '/register', {
          body: { email: `patient${i}@example.com`, password: PASSWORD },
        })
      ).status,
    ).toBe(202);
    // The transport waits ten seconds for the server; an answer that waited with it would take as
    // long.
    expect(performance.now() - started).toBeLessThan(8_000);
  }
  const waiting = await server.cli(['outbox', 'list', '--json']);
  expect(waiting.stdout.trim().split('\n')).toHaveLength(10);
  await server.kill();
}, 60_000);
