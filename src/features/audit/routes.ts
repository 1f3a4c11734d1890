/** Events over HTTP. */
import * as z from 'zod';
import { createCheckpointKey } from '../../crypto/checkpoint-note.ts';
import { latestCheckpoint } from '../../core/audit/checkpoints.ts';
import { searchAudit, shownEvent } from '../../core/audit/read.ts';
import type { ShownEvent } from '../../core/audit/read.ts';
import type { Kernel } from '../../core/kernel.ts';
import { rfc3339, text, timestamp } from '../../http/fields.ts';
import { apiKey, route } from '../../http/route.ts';
import type { AnyRoute } from '../../http/route.ts';
import { Refusal, invalidRequest } from '../../refusal.ts';

const security = apiKey('admin');
const tag = 'Administration';

const MAX_PAGE = 200;
const DEFAULT_PAGE = 50;

const EventReply = z
  .object({
    id: z.string(),
    time: timestamp,
    event: z.string().meta({ description: 'Its name, as in the log (docs/events.md).' }),
    outcome: z.enum(['success', 'failure']),
    user_id: z.string().nullable(),
    session_id: z.string().nullable(),
    actor: z.object({
      kind: z.enum(['user', 'operator', 'api_key', 'system', 'anonymous']),
      id: z.string().nullable(),
      name: z.string().nullable(),
    }),
    details: z.record(z.string(), z.unknown()).meta({
      description: 'factor, amr, reason, count and other fields of the log line.',
    }),
    request_id: z.string().nullable(),
    ip: z.string().nullable(),
    user_agent: z.string().nullable(),
    name: z.string().nullable().meta({ description: 'Null when erased, like ip and user_agent.' }),
  })
  .meta({ id: 'AuditEvent' });

/** An event as the administration API and `--json` show it. */
export function eventReply(event: ShownEvent): z.input<typeof EventReply> {
  const { personal } = event;
  return {
    id: event.id,
    time: rfc3339(event.at),
    event: event.event,
    outcome: event.outcome,
    user_id: event.user,
    session_id: event.session,
    actor: event.actor,
    details: event.details,
    request_id: event.request,
    ip: personal?.ip ?? null,
    user_agent: personal?.userAgent ?? null,
    name: personal?.name ?? null,
  };
}

const time = z.iso
  .datetime({ offset: true })
  .transform((value) => Date.parse(value))
  .optional();

const EventQuery = z.strictObject({
  user_id: text({ min: 1, max: 64 }).optional(),
  event: text({ min: 1, max: 64 }).optional().meta({ description: 'Its name.' }),
  outcome: z.enum(['success', 'failure']).optional(),
  since: time.meta({ description: 'RFC 3339, inclusive.' }),
  until: time.meta({ description: 'RFC 3339, exclusive.' }),
  limit: z
    .string()
    .regex(/^[1-9]\d{0,2}$/)
    .transform(Number)
    .refine((value) => value <= MAX_PAGE)
    .optional()
    .meta({ description: `Events of a page: 1 to ${MAX_PAGE}, ${DEFAULT_PAGE} without.` }),
  cursor: z.string().max(64).optional().meta({ description: 'next_cursor of the page before.' }),
});

const EventPageReply = z
  .object({
    events: z.array(EventReply),
    next_cursor: z.string().nullable().meta({ description: 'Null after the last page.' }),
  })
  .meta({ id: 'AuditEventPage' });

/** @throws {Refusal} invalid_request */
function placeOf(cursor: string | undefined): number | undefined {
  if (cursor === undefined) return undefined;
  const place = Number(Buffer.from(cursor, 'base64url').toString('latin1'));
  if (Number.isSafeInteger(place) && place > 0) return place;
  const detail = 'This is no cursor. Send next_cursor of the page before, or leave it out.';
  throw invalidRequest({ pointer: '/cursor', code: 'invalid', detail });
}

const CheckpointReply = z
  .object({
    size: z.number().int().meta({ description: 'Events that it is about, pruned ones included.' }),
    sealed_at: timestamp,
    note: z.string().meta({ description: 'Signed, as c2sp.org/tlog-checkpoint has it.' }),
    key: z.string().meta({ description: 'The public key, as c2sp.org/signed-note has it.' }),
  })
  .meta({ id: 'AuditCheckpoint' });

export function auditRoutes(kernel: Kernel): readonly AnyRoute[] {
  const key = createCheckpointKey(kernel.signingKeys.derivedKey, kernel.issuer);
  return [
    route({
      method: 'get',
      path: '/admin/audit/checkpoint',
      tag,
      summary: 'Get the last signed checkpoint of the audit log',
      description: [
        'Keep some elsewhere: postern audit verify --since finds every later change of what was',
        'recorded before. 404 until something was sealed, a minute after the first event.',
      ].join(' '),
      security,
      status: 200,
      reply: CheckpointReply,
      problems: ['not_found'],
      handle: async () => {
        const last = await latestCheckpoint(kernel.db);
        if (last === null) throw new Refusal('not_found');
        const { size } = last;
        return {
          size,
          sealed_at: rfc3339(last.at),
          note: key.sign({ size, root: Buffer.from(last.root, 'base64') }),
          key: key.verifierKey,
        };
      },
    }),
    route({
      method: 'get',
      path: '/admin/events',
      tag,
      summary: 'List what happened, newest first',
      description: 'The audit log. What is recorded meanwhile moves nothing.',
      security,
      query: EventQuery,
      status: 200,
      reply: EventPageReply,
      problems: [],
      handle: async ({ query }) => {
        const limit = query.limit ?? DEFAULT_PAGE;
        const rows = await searchAudit(kernel.db, {
          user: query.user_id,
          event: query.event,
          outcome: query.outcome,
          since: query.since,
          until: query.until,
          limit,
          before: placeOf(query.cursor),
        });
        const last = rows.length < limit ? undefined : rows.at(-1)?.seq;
        return {
          events: rows.map((row) => eventReply(shownEvent(row))),
          next_cursor: last === undefined ? null : Buffer.from(String(last)).toString('base64url'),
        };
      },
    }),
  ];
}
