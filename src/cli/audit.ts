/** `postern audit list|verify|prove|export|checkpoint|key`: what happened, and that nobody changed it. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createCheckpointKey, readNote } from '../crypto/checkpoint-note.ts';
import type { Checkpoint } from '../crypto/checkpoint-note.ts';
import { latestCheckpoint } from '../core/audit/checkpoints.ts';
import { auditAfter, lastAudited, searchAudit, shownEvent } from '../core/audit/read.ts';
import type { ShownEvent } from '../core/audit/read.ts';
import { createAuditSealer } from '../core/audit/seal.ts';
import { verifyAudit } from '../core/audit/verify.ts';
import { ocsfEvent } from '../features/audit/ocsf.ts';
import { proveEvent } from '../features/audit/prove-event.ts';
import type { OpenDatabase } from '../db/open.ts';
import { eventReply } from '../features/audit/routes.ts';
import { parseDuration } from '../lib/duration.ts';
import { CliRefusal, EXIT, usageRefusal } from './exit.ts';
import { createProgress } from './progress.ts';
import { withDatabase, withKeys } from './state.ts';
import { JSON_OPTION } from './verb.ts';
import { SILENT } from './with-app.ts';
import type { Verb, VerbCall } from './verb.ts';

const LIST_HELP = 'postern audit list --help';

/** A time, or a duration before now. @throws {CliRefusal} */
function timeOption(call: VerbCall, name: 'since' | 'until', help: string): number | undefined {
  const text = call.text(name);
  if (text === undefined) return undefined;
  const ago = parseDuration(text);
  const time = ago === undefined ? Date.parse(text) : call.context.clock.now() - ago;
  if (Number.isNaN(time))
    throw usageRefusal(`--${name} is a time such as 2031-05-20T08:00:00Z, or 2h for ago`, help);
  return time;
}

export const auditList: Verb = {
  name: 'audit list',
  summary: 'Lists what happened, newest first: who, what, to whom, from where.',
  examples: ['postern audit list --since 2h', 'postern audit list --event sign_in.failed --json'],
  options: [
    { flags: '--user <id>', sentence: 'only about this user' },
    { flags: '--event <name>', sentence: 'only events of this name (docs/events.md)' },
    { flags: '--since <time>', sentence: 'from this time, or duration ago, on' },
    { flags: '--until <time>', sentence: 'before this time, or duration ago' },
    { flags: '--limit <count>', sentence: 'how many at most', default: '50' },
    JSON_OPTION,
  ],
  run: (call) =>
    withDatabase(call, async (db) => {
      const limit = Number(call.text('limit') ?? '50');
      if (!Number.isInteger(limit) || limit < 1 || limit > 10_000)
        throw usageRefusal('--limit is a number from 1 to 10000', LIST_HELP);
      const rows = await searchAudit(db, {
        user: call.text('user'),
        event: call.text('event'),
        since: timeOption(call, 'since', LIST_HELP),
        until: timeOption(call, 'until', LIST_HELP),
        limit,
      });
      for (const row of rows) {
        const event = eventReply(shownEvent(row));
        if (call.has('json')) call.output.answerJson(event);
        else
          call.output.answer(
            `${event.time}  ${event.outcome.padEnd(7)}  ${event.event.padEnd(24)}  by ${[event.actor.kind, event.actor.name ?? ''].join(' ').trim().padEnd(20)}  user ${event.user_id ?? '-'}  from ${event.ip ?? '-'}`,
          );
      }
      return EXIT.done;
    }),
};

export const auditKey: Verb = {
  name: 'audit key',
  summary: 'Prints the public key of checkpoints (a C2SP verifier key), to be kept elsewhere.',
  examples: ['postern audit key', 'postern audit key > postern-audit.vkey'],
  run: (call) =>
    withKeys(call, async (keys, config) => {
      call.output.answer(
        createCheckpointKey(keys.derivedKey, config.server.public_url).verifierKey,
      );
      return EXIT.done;
    }),
};

export const auditCheckpoint: Verb = {
  name: 'audit checkpoint',
  summary: 'Seals what happened so far and prints the signed checkpoint, to be kept elsewhere.',
  examples: ['postern audit checkpoint', 'postern audit checkpoint > "audit-$(date +%F).note"'],
  run: (call) =>
    withKeys(call, async (keys, config, db) => {
      const key = createCheckpointKey(keys.derivedKey, config.server.public_url);
      const { clock } = call.context;
      const retentionMs = config.audit.retention;
      await createAuditSealer({ db, clock, log: SILENT, key, retentionMs }).seal();
      const last = await latestCheckpoint(db);
      if (last === null) throw new CliRefusal(EXIT.failed, 'nothing has happened yet');
      const root = Buffer.from(last.root, 'base64');
      call.output.answer(key.sign({ size: last.size, root }).trimEnd());
      return EXIT.done;
    }),
};

const NOTE_FAULTS = {
  malformed: 'is no checkpoint of an audit log',
  other_key: 'is signed by another key, or of another service: see --key',
  forged: 'was changed: its signature is wrong',
} as const;

/** @throws {CliRefusal} the file can't be read, or is no note of this service */
function sinceOption(call: VerbCall, verifierKey: string): Checkpoint | undefined {
  const file = call.text('since');
  if (file === undefined) return undefined;
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new CliRefusal(EXIT.usage, `${file} can't be read`, { cause });
  }
  const note = readNote(text, verifierKey);
  if (note.kind === 'valid') return note.checkpoint;
  throw new CliRefusal(EXIT.failed, `${file} ${NOTE_FAULTS[note.kind]}`);
}

export const auditVerify: Verb = {
  name: 'audit verify',
  summary: [
    'Verifies that no recorded event was changed, removed, inserted or moved; with a checkpoint',
    'that was kept elsewhere, also that none is missing at the end.',
  ].join(' '),
  examples: [
    'postern audit verify',
    'postern audit verify --since audit-2031-05-20.note --key "$(cat postern-audit.vkey)"',
  ],
  options: [
    { flags: '--since <file>', sentence: 'a checkpoint that was kept elsewhere' },
    {
      flags: '--key <key>',
      sentence: 'the public key of checkpoints that was kept elsewhere',
      default: "the service's own",
    },
    JSON_OPTION,
  ],
  run: (call) =>
    withKeys(call, async (keys, config, db) => {
      const own = createCheckpointKey(keys.derivedKey, config.server.public_url).verifierKey;
      const since = sinceOption(call, call.text('key') ?? own);
      const progress = createProgress(call, 'verifying');
      const total = await lastAudited(db);
      let done = 0;
      const onRows = (count: number): void => {
        done += count;
        progress(done, total);
      };
      const verified = await verifyAudit(db, { since, onRows });
      progress.end();
      const { size, pruned, checkpoints, unsealed, faults } = verified;
      if (call.has('json')) call.output.answerJson({ ...verified, ok: faults.length === 0 });
      else {
        for (const fault of faults) call.output.answer(`wrong: ${fault}`);
        const counts = `${size} events (${pruned} pruned), ${checkpoints} checkpoints, ${unsealed} not sealed yet`;
        call.output.answer(`${faults.length === 0 ? 'right' : 'NOT RIGHT'}: ${counts}`);
      }
      return faults.length === 0 ? EXIT.done : EXIT.failed;
    }),
};

export const auditProve: Verb = {
  name: 'audit prove',
  summary: 'Prints a proof, as JSON, that an event is in the log: its path to a signed checkpoint.',
  examples: [
    'postern audit prove 01a1fe1f-4f57-71f1-8260-39b2a9e7b97e',
    'postern audit prove 01a1fe1f-4f57-71f1-8260-39b2a9e7b97e > proof.json',
  ],
  arguments: [{ name: '<id>', sentence: 'the id of the event' }],
  run: (call) =>
    withKeys(call, async (keys, config, db) => {
      const issuer = config.server.public_url;
      const proof = await proveEvent(db, keys, { issuer, id: call.arguments[0] ?? '' });
      if (proof.kind === 'unknown')
        throw new CliRefusal(
          EXIT.failed,
          'no event has this id, or it is older than audit.retention',
        );
      if (proof.kind === 'unsealed')
        throw new CliRefusal(EXIT.failed, 'it is not sealed yet: the service does it each minute');
      const { kind: _, ...parts } = proof;
      call.output.answerJson(parts);
      return EXIT.done;
    }),
};

const PAGE = 1_000;

export const auditExport: Verb = {
  name: 'audit export',
  summary: 'Prints every event as a line of JSON, oldest first.',
  examples: [
    'postern audit export > audit.ndjson',
    'postern audit export --format ocsf --since 24h',
  ],
  options: [
    { flags: '--format <format>', sentence: 'postern or ocsf (1.3)', default: 'postern' },
    { flags: '--since <time>', sentence: 'from this time, or duration ago, on' },
  ],
  run: (call) =>
    withDatabase(call, async (db, config) => {
      const help = 'postern audit export --help';
      const format = call.text('format') ?? 'postern';
      if (format !== 'postern' && format !== 'ocsf')
        throw usageRefusal('--format is postern or ocsf', help);
      const shown = (event: ShownEvent) =>
        format === 'ocsf' ? ocsfEvent(event, config.server.public_url) : eventReply(event);
      const since = timeOption(call, 'since', help) ?? 0;
      const { stdout } = call.context;
      for await (const event of eventsOf(db)) {
        if (event.at < since) continue;
        if (!stdout.write(`${JSON.stringify(shown(event))}\n`)) await once(stdout, 'drain');
      }
      return EXIT.done;
    }),
};

/** Every event, oldest first. */
async function* eventsOf(db: Pick<OpenDatabase, 'read'>): AsyncGenerator<ShownEvent> {
  let place = 0;
  for (;;) {
    const rows = await auditAfter(db, place, PAGE);
    yield* rows.map(shownEvent);
    place = rows.at(-1)?.seq ?? place;
    if (rows.length < PAGE) return;
  }
}
