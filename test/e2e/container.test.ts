/**
 * The image's last stage without an engine: its files on a root that is read-only, its user, its
 * environment, its entry point and its health check as the Dockerfile has them, in a mount namespace
 * of its own. Run by `npm run test:binary`, as root.
 */
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { fillBareRoot } from '../support/bare-root.ts';
import { dockerfileStages, textsOf } from '../support/dockerfile.ts';
import { freePort } from '../support/peers.ts';
import { COMMAND } from '../support/program.mjs';
import { PASSWORD, ask, eventually, newDirectory, whereIs } from '../support/process.ts';

const [binary = '', ...rest] = COMMAND;
const isBinary = rest.length === 0;
const mayMount = process.getuid?.() === 0 && spawnSync('unshare', ['--mount', 'true']).status === 0;
if (!isBinary || !mayMount)
  console.warn('not the single binary, or no mount namespaces: the container is left out');

const [, final = []] = dockerfileStages();
const one = (name: string): string => textsOf(final, name)[0] ?? '';
const environmentOf = (port: number): string[] => [
  ...[...one('ENV').matchAll(/(\w+)=(\S+)/g)].map(([pair]) => pair),
  // The machine's ports are shared here.
  `POSTERN_SERVER_LISTEN=tcp://127.0.0.1:${port}`,
];

/** Binds the volume, makes the root read-only, and becomes the user; then the command. */
const ENTER =
  'mount --bind "$1" "$1"; mount --bind "$1$2" "$1$2"; mount -o remount,bind,ro "$1"; root=$1; user=$3; shift 3; exec chroot --userspec="$user" "$root" "$@"';

/** The arguments of `unshare` that run a command in the container. */
const inside = (root: string, command: readonly string[]): string[] => [
  '--mount',
  ...['sh', '-euc', ENTER, 'sh', root, one('VOLUME'), one('USER'), ...command],
];

test.skipIf(!isBinary || !mayMount)(
  'on a read-only root, as its user: healthy, registers, keeps its state in the volume, stops by SIGTERM',
  async () => {
    const root = newDirectory();
    const program = textsOf(final, 'COPY').find((text) => text.startsWith('--from=build'));
    const target = program?.split(' ').at(-1) ?? '';
    fillBareRoot(root, binary, target);
    const volume = join(root, one('VOLUME'));
    const [, mode = '', owner = ''] = /install -d -m (\d+) -o (\d+) -g \2 /.exec(one('RUN')) ?? [];
    mkdirSync(volume);
    chmodSync(volume, Number.parseInt(mode, 8));
    chownSync(volume, Number(owner), Number(owner));
    const port = await freePort();
    const env = Object.fromEntries(
      environmentOf(port).map((pair) => pair.split(/=(.*)/s).slice(0, 2)),
    );
    const entry: string[] = [...JSON.parse(one('ENTRYPOINT')), ...JSON.parse(one('CMD'))];
    const path = process.env['PATH'] ?? '';
    const child = spawn('unshare', inside(root, entry), {
      env: { ...env, PATH: path },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    let output = '';
    child.stdout.on('data', (bytes) => (output += String(bytes)));
    child.stderr.on('data', (bytes) => (output += String(bytes)));
    const ended = new Promise((resolve) => child.once('exit', (code) => resolve(code)));
    await eventually(() => {
      if (child.exitCode !== null) throw new Error(output);
      return output.includes('"server.started"');
    }, 20_000);

    const check = JSON.parse(one('HEALTHCHECK').replace(/^.*CMD /, ''));
    const health = spawnSync('unshare', inside(root, check), {
      env: { ...env, PATH: path },
      encoding: 'utf8',
    });
    expect([health.status, health.stdout + health.stderr]).toEqual([0, 'ready\n']);
    const made = await ask(whereIs(`http://127.0.0.1:${port}`), 'POST', '/register', {
      body: { username: 'ada', password: PASSWORD },
    });
    expect(made.status).toBe(201);

    child.kill('SIGTERM');
    expect([await ended, output.includes('server.stopped')]).toEqual([0, true]);
    expect(readdirSync(volume).sort()).toEqual(['key-encryption.key', 'postern.db']);
    for (const name of readdirSync(volume)) {
      const about = statSync(join(volume, name));
      expect([name, about.uid, about.mode & 0o777]).toEqual([name, Number(owner), 0o600]);
    }
    expect(existsSync(join(root, 'tmp'))).toBe(false);
  },
);
