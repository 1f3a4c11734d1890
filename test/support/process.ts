/**
 * A server process in a directory of its own: its environment and configuration file, its answers
 * over TCP and its Unix socket, SIGTERM and kill -9; and the command line beside it. Everything in
 * a directory goes when the test is done.
 */
import { createHash } from 'node:crypto';
import {
  chownSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { LIMITS_OFF } from './limits.mjs';
import { CHEAP, ask, endAll, spawnProgram, whereIs } from './program.mjs';
import type { CallOptions, End, LogLine, Program, Reply, Where } from './program.mjs';

export type { CallOptions, End, LogLine, Program, Reply, Where };
export { ask, whereIs };

export const PASSWORD = 'correct horse battery staple';

/** A stable issuer: with port 0 the default one would name no port. */
export const ISSUER = 'http://127.0.0.1:7400';

export interface ServerOptions {
  /** Default: a new one. */
  readonly directory?: string;
  /** Text of `config.toml` in the directory. */
  readonly config?: string;
  /** Beside a free port, the issuer, and cheap hashes. */
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  readonly wrap?: readonly string[];
  readonly uid?: number;
}

export interface SignedIn {
  readonly userId: string;
  readonly username: string;
  readonly access: string;
  readonly refresh: string;
  readonly sessionId: string;
}

export interface Server extends Program {
  readonly directory: string;
  /** The addresses that it told, in the order of the configuration. */
  readonly listen: readonly string[];
  /** The first of them. */
  readonly url: string;
  readonly started: LogLine;
  call(method: string, path: string, options?: CallOptions): Promise<Reply>;
  register(username: string, password?: string): Promise<SignedIn>;
  login(username: string, password?: string): Promise<Reply>;
  /** Runs a verb beside it, with the same configuration. */
  cli(
    args: readonly string[],
    options?: { readonly stdin?: string; readonly env?: Readonly<Record<string, string>> },
  ): Promise<Run>;
  /** SIGTERM, and its end. */
  stop(): Promise<End>;
  /** kill -9, and its end. */
  kill(): Promise<End>;
}

export interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const directories: string[] = [];
// Registered with the first import of a test file, so it runs after the file's own: a worker that
// is done is not asked to exit.
afterAll(() => {
  endAll();
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
});

/** A new directory, gone when the test file is done. */
export function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'postern-'));
  directories.push(directory);
  return directory;
}

/** What `serve` and the verbs are given when nothing else is said. */
export function environment(env: Readonly<Record<string, string>> = {}): Record<string, string> {
  return {
    POSTERN_SERVER_LISTEN: 'tcp://127.0.0.1:0',
    POSTERN_SERVER_PUBLIC_URL: ISSUER,
    ...CHEAP,
    // All requests come from one address; tests of the limits switch them on.
    ...LIMITS_OFF,
    ...env,
  };
}

/**
 * Starts a server and waits until it is ready. @throws with what it printed, when it ends instead
 */
export async function startServer(options: ServerOptions = {}): Promise<Server> {
  const directory = options.directory ?? newDirectory();
  if (options.config !== undefined) writeFileSync(join(directory, 'config.toml'), options.config);
  const env = environment(options.env);
  const { wrap, uid } = options;
  const program = spawnProgram(options.args ?? ['serve'], {
    directory,
    env,
    ...(wrap === undefined ? {} : { wrap }),
    ...(uid === undefined ? {} : { uid }),
  });
  const started = await program.logged('server.started');
  const listen = Array.isArray(started['listen']) ? started['listen'].map(String) : [];
  const url = listen[0] ?? '';
  const where: Where = whereIs(url);
  const call = (method: string, path: string, callOptions?: CallOptions): Promise<Reply> =>
    ask(where, method, path, callOptions);
  return {
    ...program,
    directory,
    listen,
    url,
    started,
    call,
    register: async (username, password = PASSWORD) => {
      const { status, body } = await call('POST', '/register', { body: { username, password } });
      if (status !== 201) throw new Error(`register answered ${status}: ${JSON.stringify(body)}`);
      return {
        userId: body.user.id,
        username,
        access: body.access_token,
        refresh: body.refresh_token,
        sessionId: body.session_id,
      };
    },
    login: (username, password = PASSWORD) =>
      call('POST', '/login', { body: { username, password } }),
    cli: (args, { stdin, env: more = {} } = {}) =>
      runProgram(args, {
        directory,
        env: { ...env, ...more },
        ...(stdin === undefined ? {} : { stdin }),
      }),
    stop: () => {
      program.signal('SIGTERM');
      return program.ended;
    },
    kill: () => {
      program.signal('SIGKILL');
      return program.ended;
    },
  };
}

export interface RunOptions {
  readonly directory: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  readonly wrap?: readonly string[];
  readonly uid?: number;
}

/** Runs the program to its end. */
export async function runProgram(args: readonly string[], options: RunOptions): Promise<Run> {
  const program = spawnProgram(args, options);
  const { code } = await program.ended;
  return { code, stdout: program.stdout(), stderr: program.stderr() };
}

/**
 * Every file of a directory with its mode and the digest of what it holds: whether anything
 * changed.
 */
export function fingerprint(directory: string): Record<string, string> {
  const entries = readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort();
  return Object.fromEntries(
    entries.map((name) => {
      const path = join(directory, name);
      const { mode } = lstatSync(path);
      const holds = statSync(path).isFile()
        ? createHash('sha256').update(readFileSync(path)).digest('hex')
        : 'no file';
      return [name, `${(mode & 0o7777).toString(8)} ${holds}`];
    }),
  );
}

/**
 * The user `nobody`, whom permissions bind, for a test that runs as root; undefined for anybody
 * else, whom they bind already.
 */
export const UNPRIVILEGED: number | undefined = process.getuid?.() === 0 ? 65_534 : undefined;

/** A new directory that {@link UNPRIVILEGED} owns. */
export function newUnprivilegedDirectory(): string {
  const directory = newDirectory();
  if (UNPRIVILEGED !== undefined) chownSync(directory, UNPRIVILEGED, UNPRIVILEGED);
  return directory;
}

/** Looks again and again until it is so. @throws after `withinMs` */
export async function eventually(
  what: () => boolean | Promise<boolean>,
  withinMs: number,
): Promise<number> {
  const started = performance.now();
  for (;;) {
    if (await what()) return performance.now() - started;
    if (performance.now() - started > withinMs)
      throw new Error(`it was not so within ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
