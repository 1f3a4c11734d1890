/**
 * The connection of a running service to the system: signals, systemd's sockets and notifications,
 * handlers of uncaught errors.
 */
import { execFile } from 'node:child_process';
import { exceptionFields } from '../lib/log.ts';
import { EXIT } from './exit.ts';
import type { RunningLog } from './logger.ts';

/** Logs an uncaught error instead of ending silently; no answer reveals it (ASVS 16.5.4). */
export function lastResort(log: RunningLog): void {
  process.on('unhandledRejection', (reason) =>
    log.write(
      'error',
      'process.unhandled',
      'a promise rejection was not handled',
      exceptionFields(reason),
    ),
  );
  process.on('uncaughtException', (error) => {
    log.write(
      'error',
      'process.uncaught',
      'an exception was not caught; the process ends and must be started again',
      exceptionFields(error),
    );
    log.flush();
    process.exit(EXIT.failed);
  });
}

/**
 * Takes the sockets that systemd passed; the variables are removed, so that no child process takes
 * them.
 */
export function inheritedSockets(): number {
  const { LISTEN_PID, LISTEN_FDS } = process.env;
  delete process.env['LISTEN_PID'];
  delete process.env['LISTEN_FDS'];
  delete process.env['LISTEN_FDNAMES'];
  const count = Number(LISTEN_FDS ?? 0);
  return Number(LISTEN_PID) === process.pid && Number.isInteger(count) && count > 0 && count <= 64
    ? count
    : 0;
}

/**
 * Node can't send datagrams over Unix sockets; systemd's own tool can. The unit needs
 * NotifyAccess=all.
 */
export function notifySystemd(state: string): void {
  if (process.env['NOTIFY_SOCKET'] === undefined) return;
  execFile('systemd-notify', [`--pid=${process.pid}`, state], () => undefined);
}

/** Resolves at the first SIGTERM or SIGINT; a second SIGINT ends the process at once. */
export function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    let told = false;
    const tell = (signal: NodeJS.Signals): void => {
      if (told && signal === 'SIGINT') process.exit(130);
      told = true;
      resolve();
    };
    process.on('SIGTERM', tell);
    process.on('SIGINT', tell);
  });
}

/**
 * Handles SIGHUP from now on, which would otherwise end the process. The returned function sets the
 * handler; a signal that arrived before is handled then.
 */
export function hangupSignal(): (work: () => Promise<void>) => void {
  let work: (() => Promise<void>) | undefined;
  let isWaiting = false;
  let isRunning = false;
  const run = async (): Promise<void> => {
    if (work === undefined || isRunning) {
      isWaiting = true;
      return;
    }
    isRunning = true;
    do {
      isWaiting = false;
      await work();
      // Another signal may have arrived meanwhile.
    } while (isWaiting);
    isRunning = false;
  };
  process.on('SIGHUP', () => void run());
  return (given) => {
    work = given;
    if (isWaiting) void run();
  };
}
