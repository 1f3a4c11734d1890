/**
 * Child processes of the benchmark: one question at a time over Node's own channel, pinned to a
 * core where `taskset` is there. A child that nobody asks does nothing, so that it costs the one
 * that is being measured nothing.
 */
import { execFileSync, fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * @typedef {object} Child
 * @property {number} pid
 * @property {(job: unknown) => Promise<any>} ask
 * @property {() => Promise<void>} stop
 */

/**
 * Starts one of this folder's programs.
 *
 * @param {string} file relative to this folder
 * @param {{ args?: readonly string[], env?: NodeJS.ProcessEnv }} [options]
 * @returns {Promise<Child>}
 */
export async function startChild(file, { args = [], env } = {}) {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), args, {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    execArgv: [],
    ...(env === undefined ? {} : { env }),
  });
  /** @type {{ resolve: (value: any) => void, reject: (error: Error) => void } | undefined} */
  let waiting;
  const next = () =>
    new Promise((resolve, reject) => {
      waiting = { resolve, reject };
    });
  child.on('message', (/** @type {{ result?: unknown, error?: string }} */ { result, error }) =>
    error === undefined
      ? waiting?.resolve(result)
      : waiting?.reject(new Error(`${file}: ${error}`)),
  );
  child.on('exit', (code) => waiting?.reject(new Error(`${file} ended (exit ${code})`)));
  const ready = next();
  await ready;
  return {
    pid: child.pid ?? 0,
    ask(job) {
      const answer = next();
      child.send({ job });
      return answer;
    },
    async stop() {
      waiting = undefined;
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = new Promise((resolve) => child.once('exit', resolve));
      // It ends by itself when its channel is closed, and takes away what it made.
      child.disconnect();
      await gone;
    },
  };
}

/**
 * The other end: answers each job, and ends when the parent is gone.
 *
 * @param {(job: any) => unknown} handle
 */
export function answerJobs(handle) {
  process.on('message', (/** @type {{ job: unknown }} */ { job }) => {
    void Promise.resolve()
      .then(() => handle(job))
      .then(
        (result) => process.send?.({ result }),
        (error) =>
          process.send?.({
            error: error instanceof Error ? (error.stack ?? error.message) : String(error),
          }),
      );
  });
  process.on('disconnect', () => process.exit());
  process.send?.({ result: 'ready' });
}

/** Cores that this process may run on. */
export const CORES = allowedCores();

/** @returns {readonly number[]} */
function allowedCores() {
  try {
    const list =
      /^Cpus_allowed_list:\s*(.+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';
    return list.split(',').flatMap((range) => {
      const [first = NaN, last = first] = range.split('-').map(Number);
      return Array.from({ length: last - first + 1 }, (_, at) => first + at);
    });
  } catch {
    return [];
  }
}

/** Whether the server and the client each get a core of their own. */
export const CAN_PIN = CORES.length > 1 && hasTaskset();

function hasTaskset() {
  try {
    execFileSync('taskset', ['-V'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/**
 * Puts all threads of a process on one core, or back on all of them.
 *
 * @param {number} pid
 * @param {'server' | 'client' | 'all'} where
 */
export function pin(pid, where) {
  if (!CAN_PIN) return;
  const cores = where === 'all' ? CORES.join(',') : String(CORES[where === 'server' ? 0 : 1]);
  execFileSync('taskset', ['-acp', cores, String(pid)], { stdio: 'ignore' });
}

/** The kernel's clock ticks in a second, as `/proc` counts them. */
const TICK_MICROSECONDS = 10_000;

/**
 * Processor time that a process has used, user and kernel, in microseconds; NaN where there is no
 * `/proc`.
 *
 * @param {number} pid
 */
export function cpuOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * TICK_MICROSECONDS;
  } catch {
    return NaN;
  }
}

/**
 * Resident memory of a process in MB (10⁶ bytes); NaN where there is no `/proc`.
 *
 * @param {number} pid
 */
export function rssOf(pid) {
  return statusOf(pid, 'VmRSS');
}

/**
 * The part of it that no file backs, in MB: what the process alone occupies.
 *
 * @param {number} pid
 */
export function anonymousOf(pid) {
  return statusOf(pid, 'RssAnon');
}

/**
 * @param {number} pid
 * @param {string} name
 */
function statusOf(pid, name) {
  try {
    const text = readFileSync(`/proc/${pid}/status`, 'latin1');
    return (Number(new RegExp(`^${name}:\\s*(\\d+) kB$`, 'm').exec(text)?.[1]) * 1024) / 1e6;
  } catch {
    return NaN;
  }
}
