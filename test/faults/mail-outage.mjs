/**
 * A mail server that accepts connections and says nothing for minutes, while registrations go on:
 * memory doesn't grow with the emails that wait, and once it speaks each arrives once (finding 16).
 *
 *     node test/faults/mail-outage.mjs --minutes 5 --emails 2000
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { SMTPServer } from 'smtp-server';
import { CHEAP, ask, spawnProgram, whereIs } from '../support/program.mjs';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    emails: { type: 'string', default: '2000' },
    patience: { type: 'string', default: '20' },
  },
});
const EMAILS = Number(values.emails);
const pause = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** @param {import('node:net').Server} server @returns {Promise<number>} */
function listening(server) {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' ? (address?.port ?? 0) : 0);
    });
  });
}

/** @type {Map<string, number>} arrivals by recipient */
const arrived = new Map();
const smtp = new SMTPServer({
  authOptional: true,
  disabledCommands: ['STARTTLS', 'AUTH'],
  onData(stream, session, done) {
    stream.on('data', () => undefined);
    stream.on('end', () => {
      for (const { address } of session.envelope.rcptTo)
        arrived.set(address, (arrived.get(address) ?? 0) + 1);
      done();
    });
  },
});
smtp.on('error', () => undefined);
const smtpPort = await listening(smtp.server);

let isSilent = true;
let mostConnections = 0;
/** @type {Set<import('node:net').Socket>} */
const open = new Set();
const front = createServer((socket) => {
  open.add(socket);
  mostConnections = Math.max(mostConnections, open.size);
  socket.on('error', () => undefined);
  socket.on('close', () => open.delete(socket));
  if (isSilent) return void socket.resume();
  const behind = connect(smtpPort, '127.0.0.1');
  behind.on('error', () => socket.destroy());
  socket.pipe(behind).pipe(socket);
});
const port = await listening(front);

const directory = mkdtempSync(join(tmpdir(), 'postern-outage-'));
writeFileSync(
  join(directory, 'config.toml'),
  `[server]\nlisten = ["tcp://127.0.0.1:0"]\ntrusted_proxies = ["127.0.0.1/32"]\n[registration]\nmax_pending = ${EMAILS}\n[mail]\ntransports = ["smtp"]\nmax_requested = ${EMAILS * 2}\nfrom = "auth@example.com"\n[mail.smtp]\nhost = "127.0.0.1"\nport = ${port}\ntls = "none"\n[log]\nlevel = "error"\n`,
);
const program = spawnProgram(['serve'], {
  directory,
  env: { ...CHEAP, POSTERN_LOG_LEVEL: 'info' },
});
try {
  const started = await program.logged('server.started');
  const [address = ''] = /** @type {string[]} */ (started['listen']);
  const where = whereIs(address);
  const rss = () =>
    Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${program.pid}/status`, 'utf8'))?.[1]) / 1e3;
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  let made = 0;
  const stranger = async () => {
    while (made < EMAILS) {
      const at = made++;
      const { status } = await ask(where, 'POST', '/register', {
        agent,
        headers: { 'x-forwarded-for': `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}` },
        body: { email: `u${at}@d${at % 50}.example`, password: 'correct horse battery staple' },
      });
      if (status !== 202) throw new Error(`POST /register answered ${status}`);
    }
  };
  const idle = rss();
  await Promise.all(Array.from({ length: 4 }, stranger));
  agent.destroy();
  const full = rss();
  console.log(`idle ${idle.toFixed(0)} MB, ${EMAILS} emails waiting ${full.toFixed(0)} MB`);
  let most = 0;
  const until = performance.now() + Number(values.minutes) * 60_000;
  while (performance.now() < until) {
    await pause(5_000);
    most = Math.max(most, rss());
  }
  console.log(
    `after ${values.minutes} min of silence ${rss().toFixed(0)} MB, at most ${most.toFixed(0)} MB; connections at once at most ${mostConnections}; arrived ${arrived.size}`,
  );
  isSilent = false;
  for (const socket of open) socket.destroy();
  const spoke = performance.now();
  const patience = spoke + Number(values.patience) * 60_000;
  while (arrived.size < EMAILS && performance.now() < patience) await pause(1_000);
  const seconds = (performance.now() - spoke) / 1000;
  const twice = [...arrived.values()].filter((count) => count > 1).length;
  console.log(
    `${arrived.size} of ${EMAILS} arrived within ${seconds.toFixed(0)} s of its first word, ${twice} of them twice; ${rss().toFixed(0)} MB`,
  );
  if (twice > 0 || most > full * 1.25) process.exitCode = 1;
} finally {
  program.signal('SIGTERM');
  await program.ended;
  smtp.close();
  front.close();
  for (const socket of open) socket.destroy();
  rmSync(directory, { recursive: true, force: true });
}
