/**
 * `postern incident`: the response when keys or sessions may be compromised, in one step. Shows the
 * affected users before it changes anything.
 */
import { recorded } from '../core/audit/audited-event.ts';
import { contextOf, operatorCommit } from './operator-commit.ts';
import { SILENT } from './with-app.ts';
import { createSigningKeys } from '../core/signing-key/signing-key.ts';
import { signingKeyPolicy } from '../app/policies.ts';
import { voidAllOneTimes } from '../core/one-time/void-all.ts';
import { affectedSince } from '../core/session/affected.ts';
import type { Affected } from '../core/session/affected.ts';
import { endSessions } from '../core/session/session.ts';
import { createSealer } from '../crypto/seal.ts';
import { createSystemRandom } from '../crypto/secret.ts';
import type { OpenDatabase } from '../db/open.ts';
import type { Config } from '../config/schema.ts';
import { confirm } from './confirm.ts';
import { EXIT, usageRefusal } from './exit.ts';
import { keyEncryptionKey } from './key-file.ts';
import { withDatabase } from './state.ts';
import { JSON_OPTION } from './verb.ts';
import type { Verb, VerbCall } from './verb.ts';

export const incident: Verb = {
  name: 'incident',
  summary:
    'Replaces the signing key at once, ends the sessions since a time, voids codes and links.',
  examples: [
    'postern incident --since 2031-05-20T08:00:00Z --dry-run',
    'postern incident --since 2h --yes',
  ],
  options: [
    {
      flags: '--since <time>',
      sentence: 'when it began: RFC 3339, or how long ago, such as 90m, 2h, 3d',
    },
    { flags: '--dry-run', sentence: 'show the affected users and change nothing' },
    { flags: '--yes', sentence: 'skip the confirmation' },
    JSON_OPTION,
  ],
  run: async (call) => {
    const since = sinceOf(call);
    return withDatabase(call, async (db, config) => {
      const affected = await affectedSince(db, since);
      show(call, affected, since);
      if (call.has('dry-run')) return EXIT.done;
      const sessions = affected.reduce((sum, one) => sum + one.sessions, 0);
      await confirm(
        call,
        `All access tokens would be refused until clients refresh, ${sessions} sessions of ${affected.length} users would end, and every code and link be void.`,
      );
      const done = await act(call, { db, config, since });
      if (call.has('json')) call.output.answerJson(done);
      else
        call.output.answer(
          `New signing key ${done.kid ?? 'none (HS256: change tokens.shared_secret)'}; ${done.sessions_ended} sessions ended, ${done.codes_voided} codes and links void.`,
        );
      call.output.progress(
        'Siblings that keep the JWKS learn of the new key when they meet its kid; make them drop the old one. Did refresh tokens or the key file leak? postern keys rotate --internal --now --withdraw signs everybody out.',
      );
      return EXIT.done;
    });
  },
};

const AGO = /^(\d{1,4})([mhd])$/;
const UNIT_MS = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)$/;

/** @throws {CliRefusal} it is not a time, or is in the future */
function sinceOf(call: VerbCall): number {
  const text = call.text('since') ?? '';
  const now = call.context.clock.now();
  const [, count, unit] = AGO.exec(text) ?? [];
  const at =
    unit === 'm' || unit === 'h' || unit === 'd'
      ? now - Number(count) * UNIT_MS[unit]
      : Date.parse(RFC3339.test(text) ? text : '');
  if (Number.isNaN(at) || at > now)
    throw usageRefusal(
      '--since needs a time in the past, such as 2031-05-20T08:00:00Z or 2h',
      'postern incident --help',
    );
  return at;
}

function show(call: VerbCall, affected: readonly Affected[], since: number): void {
  for (const { userId, username, email, sessions, first, addresses } of affected) {
    if (call.has('json'))
      call.output.answerJson({
        user_id: userId,
        username,
        email,
        sessions,
        first_authenticated_at: new Date(first).toISOString(),
        addresses,
      });
    else
      call.output.answer(
        `${userId}  ${(username ?? email ?? '-').padEnd(24)}  ${sessions} sessions  ${addresses.join(', ')}`,
      );
  }
  call.output.progress(
    `${affected.length} users authenticated since ${new Date(since).toISOString()}`,
  );
}

interface Acting {
  readonly db: OpenDatabase;
  readonly config: Config;
  readonly since: number;
}

async function act(call: VerbCall, { db, config, since }: Acting) {
  const { clock } = call.context;
  const current = keyEncryptionKey(config, 'refuse', (line) => call.output.warn(line));
  const previous = config.secrets.previous_key_encryption_keys;
  const random = createSystemRandom();
  const sealer = createSealer({ current, previous }, random);
  const deps = { db, sealer, clock, random };
  // The key first: with the old one, an attacker could forge tokens of live sessions.
  const keys = await createSigningKeys(deps, signingKeyPolicy(config), 'look');
  const kid =
    config.tokens.algorithm === 'HS256' ? null : await keys.rotate('access', 0, { withdraw: true });
  const [revoke, end] = endSessions({ kind: 'since', since }, 'incident', clock.now());
  const [voidCodes, ...others] = voidAllOneTimes();
  if (voidCodes === undefined) throw new Error('there is nothing that voids codes');
  const record = recorded('incident.handled', 'sessions and keys of an incident were ended', {
    reason: `since ${new Date(since).toISOString()}`,
    ...(kid === null ? {} : { kid }),
  });
  const statements = [revoke, end, voidCodes, ...others, record];
  const done = await operatorCommit(call, db).commit(contextOf(call, SILENT), statements);
  return {
    kid,
    sessions_ended: done.rowsOf(revoke).length,
    codes_voided: done.rowsOf(voidCodes).length,
  };
}
