/**
 * How long after a sign-out its event arrives at a receiver on this machine.
 *
 *     node bench/event-streams.mjs --sign-outs 200
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CHEAP, ask, spawnProgram, whereIs } from '../test/support/program.mjs';

const { values } = parseArgs({ options: { 'sign-outs': { type: 'string', default: '200' } } });
const COUNT = Number(values['sign-outs']);

/** @type {Map<string, number>} when the event of a session arrived */
const arrived = new Map();
const receiver = createServer((request, response) => {
  let token = '';
  request.on('data', (chunk) => (token += String(chunk)));
  request.on('end', () => {
    const { sub_id: subject } = JSON.parse(
      Buffer.from(token.split('.')[1] ?? '', 'base64url').toString(),
    );
    arrived.set(subject.session.id, performance.now());
    response.writeHead(202).end();
  });
});
/** @type {number} */
const port = await new Promise((resolve) => {
  receiver.listen(0, '127.0.0.1', () => {
    const address = receiver.address();
    resolve(typeof address === 'object' ? (address?.port ?? 0) : 0);
  });
});

const directory = mkdtempSync(join(tmpdir(), 'postern-streams-'));
writeFileSync(
  join(directory, 'config.toml'),
  `[server]\nlisten = ["tcp://127.0.0.1:0"]\n[limits]\nregister = "off"\nlogin = "off"\n[events.streams.bench]\naudience = "bench"\nurl = "http://127.0.0.1:${port}/"\nevents = ["session-revoked"]\n`,
);
const program = spawnProgram(['serve'], { directory, env: CHEAP });
try {
  const started = await program.logged('server.started');
  const [address = ''] = /** @type {string[]} */ (started['listen']);
  const where = whereIs(address);
  const password = 'correct horse battery staple';
  await ask(where, 'POST', '/register', { body: { username: 'bench', password } });
  /** @type {{ sid: string, at: number }[]} */
  const signedOut = [];
  for (let done = 0; done < COUNT; done++) {
    const { body } = await ask(where, 'POST', '/login', { body: { username: 'bench', password } });
    const { sid } = JSON.parse(
      Buffer.from(body.access_token.split('.')[1], 'base64url').toString(),
    );
    const at = performance.now();
    await ask(where, 'POST', '/logout', { body: { refresh_token: body.refresh_token } });
    signedOut.push({ sid, at });
  }
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  const times = signedOut
    .map(({ sid, at }) => (arrived.get(sid) ?? Infinity) - at)
    .sort((a, b) => a - b);
  /** @param {number} q */
  const quantile = (q) => times[Math.floor((times.length - 1) * q)]?.toFixed(0);
  console.log(
    `${COUNT} sign-outs: event after p50 ${quantile(0.5)} ms, p99 ${quantile(0.99)} ms, at most ${quantile(1)} ms`,
  );
} finally {
  program.signal('SIGTERM');
  await program.ended;
  receiver.close();
  rmSync(directory, { recursive: true, force: true });
}
