/** The settings of emails as `postern mail test` uses them, against a real mail server. */
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../cli/run.ts';
import { newDirectory } from '../support/process.ts';
import { startSink } from '../support/smtp-sink.ts';
import type { Sink } from '../support/smtp-sink.ts';

let sink: Sink;
let env: Record<string, string>;
const folder = newDirectory();
const mailTest = (more: Record<string, string> = {}) =>
  run('mail test --to ada@example.com', { env: { ...env, ...more } });

beforeAll(async () => {
  sink = await startSink({ tls: true });
  writeFileSync(join(folder, 'ca.pem'), sink.ca);
  writeFileSync(join(folder, 'none.pem'), 'no certificate');
  env = {
    POSTERN_MAIL_TRANSPORTS: 'smtp',
    POSTERN_MAIL_FROM: 'auth@example.com',
    POSTERN_MAIL_SMTP_HOST: 'localhost',
    POSTERN_MAIL_SMTP_PORT: String(sink.port),
  };
});
afterAll(() => sink.stop());

describe('mail.smtp.ca_file', () => {
  test('a server with a certificate of a private authority: refused without it, and what to check', async () => {
    expect(await mailTest()).toEqual({
      code: 1,
      stdout: expect.stringMatching(
        /^fail {2}smtp {2}the certificate of localhost:\d+ could not be verified \(\w+\): check mail\.smtp\.host, or name a private authority in mail\.smtp\.ca_file\n$/,
      ),
      stderr: '',
    });
    expect(sink.received).toHaveLength(0);
  });

  test('with it, the email goes out, encrypted', async () => {
    const { code, stdout } = await mailTest({
      POSTERN_MAIL_SMTP_CA_FILE: join(folder, 'ca.pem'),
      POSTERN_MAIL_REPLY_TO: 'help@example.com',
    });
    expect([code, stdout]).toEqual([0, 'ok    smtp\n']);
    expect(sink.received.at(-1)).toMatchObject({
      secure: true,
      raw: expect.stringMatching(/^Reply-To: help@example\.com\r$/m),
    });
  });

  test.each(['none.pem', 'missing.pem'])(
    '%s: the start is refused, with what to write',
    async (name) => {
      const { code, stderr } = await mailTest({ POSTERN_MAIL_SMTP_CA_FILE: join(folder, name) });
      expect([code, stderr]).toEqual([
        78,
        expect.stringMatching(
          /^mail\.smtp\.ca_file: .* is not a readable file of certificates\. Write the path/,
        ),
      ]);
    },
  );
});

test('[mail.dkim] signs in the name of the sender’s domain; without it nothing is signed', async () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const ca = { POSTERN_MAIL_SMTP_CA_FILE: join(folder, 'ca.pem') };
  await mailTest(ca);
  expect(sink.received.at(-1)?.raw).not.toMatch(/^DKIM-Signature:/m);
  await mailTest({
    ...ca,
    POSTERN_MAIL_DKIM_SELECTOR: 'postern',
    POSTERN_MAIL_DKIM_PRIVATE_KEY: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  });
  expect(sink.received.at(-1)?.raw).toMatch(
    /^DKIM-Signature: [^\r]*d=example\.com;[\s\S]*?s=postern;/m,
  );
});
