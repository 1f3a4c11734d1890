/** POST /admin/users/import. */
import * as z from 'zod';
import type { Kernel } from '../../core/kernel.ts';
import { apiKey, route } from '../../http/route.ts';
import type { AnyRoute } from '../../http/route.ts';
import { importUsers } from './import-users.ts';
import type { RefusedLine } from './import-users.ts';

/** Lines of one commit: the event loop is blocked for as long. */
const BATCH = 50;
/** Refused lines of an answer. */
const MAX_REPORTED = 1_000;

const Fault = z.object({ pointer: z.string(), code: z.string(), detail: z.string() });

const ImportReply = z
  .object({
    dry_run: z.boolean(),
    lines: z.number().int(),
    created: z.number().int(),
    existing: z
      .number()
      .int()
      .meta({ description: 'Accounts that were there, and stay as they are.' }),
    refused: z.number().int(),
    errors: z
      .array(z.object({ line: z.number().int(), errors: z.array(Fault).readonly() }))
      .meta({ description: `The first ${MAX_REPORTED} lines that were refused.` }),
  })
  .meta({ id: 'Import' });

export function importRoutes(kernel: Kernel): readonly AnyRoute[] {
  return [
    route({
      method: 'post',
      path: '/admin/users/import',
      tag: 'Administration',
      summary: 'Import users',
      description: [
        'NDJSON of any length, a user a line, read as it arrives: docs/import-users.md has the',
        'members. A line is stored whole or refused, and one whose id or external_id is there',
        'already changes nothing: after a cut connection send it all again.',
      ].join(' '),
      security: apiKey('admin'),
      protocol: 'ndjson',
      query: z.strictObject({
        dry_run: z.enum(['true', 'false']).optional().meta({
          description: 'Whether to check only, and store nothing.',
        }),
      }),
      body: z.custom<AsyncIterable<Uint8Array>>(),
      status: 200,
      reply: ImportReply,
      problems: [],
      handle: async (call) => {
        const isDry = call.query.dry_run === 'true';
        const errors: RefusedLine[] = [];
        const counts = await importUsers(kernel)(kernel.context(call), call.body, {
          mode: isDry ? 'dry_run' : 'import',
          batch: BATCH,
          onRefused: (refused) => {
            if (errors.length < MAX_REPORTED) errors.push(refused);
          },
        });
        return { dry_run: isDry, ...counts, errors };
      },
    }),
  ];
}
