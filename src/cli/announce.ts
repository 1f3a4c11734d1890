/** What `serve` prints when it is ready: a few lines on a terminal, one JSON line elsewhere. */
import { relative } from 'node:path';
import type { RunningApp } from '../app/app.ts';
import type { OpenDatabase } from '../db/open.ts';
import type { Listeners } from '../http/listen.ts';
import type { RunningLog } from './logger.ts';
import { describeMail, mailFolder } from './mail-ways.ts';
import { describeSms } from './sms-ways.ts';
import type { VerbCall } from './verb.ts';
import { VERSION } from './version.ts';

export interface Start {
  readonly running: RunningApp;
  readonly db: OpenDatabase;
  readonly listeners: Listeners;
  readonly isNew: boolean;
  /** The configuration file; undefined if there is none. */
  readonly path: string | undefined;
  readonly ms: number;
  readonly pretty: boolean;
  readonly log: RunningLog;
}

export function announce(call: VerbCall, start: Start): void {
  const { running, db, listeners, isNew, path, ms, pretty, log } = start;
  const { config, kernel } = running;
  const { public_url } = config.server;
  const { algorithm } = config.tokens;
  const kid = kernel.signingKeys.published()[0]?.jwk.kid;
  if (!pretty) {
    log.write('info', 'server.started', `postern ${VERSION} is ready`, {
      version: VERSION,
      listen: listeners.addresses,
      ...(listeners.metrics === undefined ? {} : { metrics: listeners.metrics }),
      ...(listeners.admin === undefined ? {} : { admin: listeners.admin }),
      public_url,
      database: db.location,
      config: path ?? 'defaults',
      algorithm,
      ...(kid === undefined ? {} : { kid }),
      duration_ms: ms,
    });
    log.flush();
    return;
  }
  const shown = (path: string): string =>
    path.startsWith('/') ? relativePath(call.context.cwd, path) : path;
  call.output.answer(
    [
      `postern ${VERSION} is ready (${ms} ms)`,
      ...listeners.addresses.map(
        (address, index) =>
          `  ${index === 0 ? 'API     ' : '        '}  ${address.padEnd(30)}${index === 0 ? ' GET /openapi.json' : ''}`,
      ),
      `  keys      ${public_url}/.well-known/jwks.json   ${algorithm}${kid === undefined ? '' : `, kid ${kid.slice(0, 4)}…`}`,
      ...(listeners.admin ?? []).map((address) => `  admin     ${address}/admin/users`),
      ...(listeners.metrics ?? []).map((address) => `  metrics   ${address}/metrics`),
      `  database  ${shown(db.location).padEnd(30)} ${isNew ? 'new' : 'there'}`,
      config.mail.transports.length === 0
        ? `  mail      ${`${shown(mailFolder(config))}/*.eml`.padEnd(30)} nothing is sent: [mail] transports is empty`
        : `  mail      ${describeMail(config)}`,
      ...describeSms(config).map((ways) => `  sms       ${ways}`),
      `  config    ${path ?? 'defaults'}${path === undefined ? '                       `postern init` writes config.toml' : ''}`,
    ].join('\n'),
  );
}

function relativePath(from: string, to: string): string {
  const path = relative(from, to);
  return path.startsWith('..') ? to : `./${path}`;
}
