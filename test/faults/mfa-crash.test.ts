/**
 * kill -9 while second factors are shown and enrolled: what was spent stays spent, what was
 * acknowledged stands, nothing is half done.
 */
import { generateSync } from 'otplib';
import { expect, test } from 'vitest';
import { PASSWORD, eventually, newDirectory, startServer } from '../support/process.ts';
import type { Reply, Server } from '../support/process.ts';

const ROUNDS = 6;
const codeOf = (secret: string, steps = 0): string =>
  generateSync({ secret, epoch: Math.floor(Date.now() / 1000) + steps * 30 });

async function pending(server: Server, username: string): Promise<string> {
  const { body } = await server.login(username);
  expect(body).toMatchObject({ status: 'mfa_required' });
  return body.challenge_token;
}

const show = (server: Server, token: string, shown: object): Promise<Reply> =>
  server.call('POST', '/login/mfa', { body: { challenge_token: token, ...shown } });

test('recovery codes and steps that were taken are dead after the restart; an enrolment that was answered holds, and no other is half there', async () => {
  const directory = newDirectory();
  const env = { POSTERN_THROTTLE_ATTEMPTS: '100' };
  const ledger: { username: string; secret: string; used: string[]; step: string | null }[] = [];
  let acknowledged = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const server = await startServer({ directory, env });
    // What earlier rounds used is dead, and what they enrolled is asked for.
    for (const { username, used, step } of ledger) {
      const token = await pending(server, username);
      for (const code of used.slice(0, 2))
        expect((await show(server, token, { recovery_code: code })).status).toBe(401);
      if (step !== null) expect((await show(server, token, { totp: step })).status).toBe(401);
    }
    const user = await server.register(`mfa-${round}`);
    const { body: begun } = await server.call('POST', '/me/totp', { token: user.access });
    const { body: confirmed } = await server.call('POST', '/me/totp/confirm', {
      token: user.access,
      body: { code: codeOf(begun.secret) },
    });
    const entry = {
      username: user.username,
      secret: String(begun.secret),
      used: [] as string[],
      step: null as string | null,
    };
    ledger.push(entry);
    const tokens = await Promise.all(
      Array.from({ length: 7 }, () => pending(server, user.username)),
    );
    const late = await Promise.all(
      Array.from({ length: 4 }, (_, i) => server.register(`late-${round}-${i}`)),
    );
    const enrolments = await Promise.all(
      late.map(({ access }) => server.call('POST', '/me/totp', { token: access })),
    );
    const step = codeOf(begun.secret, 1);
    const work = [
      ...tokens.slice(0, 6).map(async (token, i) => {
        const code = String(confirmed.recovery_codes[i]);
        const reply = await show(server, token, { recovery_code: code }).catch(() => undefined);
        if (reply?.status === 200) entry.used.push(code);
      }),
      show(server, tokens[6] ?? '', { totp: step }).then(
        (reply) => {
          entry.step = reply.status === 200 ? step : null;
        },
        () => undefined,
      ),
      ...late.map(async ({ access, username }, i) => {
        const secret = String(enrolments[i]?.body.secret);
        const reply = await server
          .call('POST', '/me/totp/confirm', { token: access, body: { code: codeOf(secret) } })
          .catch(() => undefined);
        if (reply?.status === 200) ledger.push({ username, secret, used: [], step: null });
        else unsure.push(username);
      }),
    ];
    // In the midst of it, but not before anything was answered.
    if (round % 2 === 0) await eventually(() => entry.used.length > 0, 20_000);
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 60));
    await server.kill();
    await Promise.all(work);
    acknowledged += entry.used.length;
  }
  const server = await startServer({ directory, env });
  for (const { username, used, step } of ledger) {
    const token = await pending(server, username);
    for (const code of used.slice(0, 3))
      expect((await show(server, token, { recovery_code: code })).status).toBe(401);
    if (step !== null) expect((await show(server, token, { totp: step })).status).toBe(401);
  }
  for (const username of unsure) {
    const { body } = await server.login(username);
    if (body.status === 'authenticated')
      expect(
        (await server.call('GET', '/me/factors', { token: body.access_token })).body,
      ).toMatchObject({ totp: null, recovery_codes_left: 0 });
    else expect(body.factors).toEqual(['totp', 'recovery_code']);
  }
  expect(acknowledged).toBeGreaterThan(0);
  expect(ledger.length).toBeGreaterThanOrEqual(ROUNDS);
  expect(
    (await server.call('POST', '/login', { body: { username: 'mfa-0', password: PASSWORD } }))
      .status,
  ).toBe(200);
  await server.stop();
}, 120_000);

/** Whose enrolment nobody answered. */
const unsure: string[] = [];
