/**
 * Exports: everything about one person, for a data request; and all users, a line each, for another
 * service. No secret is in either; password hashes, seeds and passkeys only where somebody asks for
 * them.
 */
import { recorded } from '../../core/audit/audited-event.ts';
import { searchAudit, shownEvent } from '../../core/audit/read.ts';
import type { Context } from '../../core/context.ts';
import type { Kernel } from '../../core/kernel.ts';
import { amrOf } from '../../core/factor/presented.ts';
import type { ListedUser } from '../../core/user/search.ts';
import type { Portable } from '../../core/user/portable.ts';
import type { Database } from '../../db/database.ts';
import { rfc3339 } from '../../http/fields.ts';
import { userDetailReply } from './replies.ts';
import { showUser } from './show-user.ts';
import { exportPage, hashesOf, oneTimesOf, sessionsOf } from './store.ts';

export type Hashes = 'with_hashes' | 'without_hashes';

const time = (milliseconds: number | null): string | null =>
  milliseconds === null ? null : rfc3339(milliseconds);

/** Everything that is kept about one person, as JSON. */
export function exportUser(kernel: Kernel) {
  const { db, clock } = kernel;
  const show = showUser(kernel);
  return async (
    context: Context,
    user: ListedUser,
    hashes: Hashes,
  ): Promise<Record<string, unknown>> => {
    const { sessions: _, ...detail } = userDetailReply(await show(context, user));
    const userId = user.id;
    const sessions = await db.read(sessionsOf({ userId }));
    const links = await db.read(oneTimesOf({ userId }));
    const own = hashes === 'with_hashes' ? await db.read(hashesOf({ userId })) : [];
    await note(kernel, context, hashes, userId);
    return {
      exported_at: rfc3339(clock.now()),
      ...detail,
      sessions: sessions.map((session) => ({
        id: session.id,
        created_at: rfc3339(session.createdAt),
        last_used_at: rfc3339(session.lastUsedAt),
        expires_at: rfc3339(session.expiresAt),
        ended_at: time(session.endedAt),
        end_reason: session.endReason,
        ip: session.ip,
        user_agent: session.userAgent,
        amr: amrOf(session.factors),
      })),
      codes_and_links: links.map((link) => ({
        purpose: link.purpose,
        subject: link.subject,
        attempts: link.attempts,
        created_at: rfc3339(link.createdAt),
        expires_at: rfc3339(link.expiresAt),
        spent_at: time(link.spentAt),
      })),
      events: await eventsOf(db, userId),
      ...(hashes === 'with_hashes' ? { password_hash: own[0]?.passwordHash ?? null } : {}),
    };
  };
}

const EVENTS_PAGE = 1_000;

/** What was recorded about a person, newest first. */
async function eventsOf(db: Kernel['db'], user: string) {
  const events: Record<string, unknown>[] = [];
  let before: number | undefined;
  for (;;) {
    const rows = await searchAudit(db, { user, limit: EVENTS_PAGE, before });
    for (const row of rows) {
      const { seq: _, id, at, event, outcome, session, details, personal } = shownEvent(row);
      const { ip = null, userAgent = null } = personal ?? {};
      const where = { ip, user_agent: userAgent };
      events.push({
        id,
        time: rfc3339(at),
        event,
        outcome,
        session_id: session,
        details,
        ...where,
      });
    }
    before = rows.at(-1)?.seq;
    if (rows.length < EVENTS_PAGE) return events;
  }
}

export async function note(
  { commit }: Pick<Kernel, 'commit'>,
  context: Context,
  hashes: Hashes,
  userId?: string,
): Promise<void> {
  const about = userId === undefined ? {} : { 'user.id': userId };
  const message = userId === undefined ? 'all accounts were exported' : 'an account was exported';
  await commit(context, [recorded('user.exported', message, { ...about, reason: hashes })]);
}

/** Users of one read: what is in memory at a time. */
const PAGE = 500;

/** What an export reads besides the account: nothing, or every secret of it. */
export type Secrets = readonly Portable[] | null;

async function secretsOf(
  { user, passwordHash }: { readonly user: ListedUser; readonly passwordHash: string | null },
  portables: Secrets,
): Promise<Record<string, unknown>> {
  if (portables === null) return {};
  const values = await Promise.all(portables.map(({ read }) => read(user.id)));
  const members = portables.map(({ name }, at) => [name, values[at] ?? undefined]);
  return { password_hash: passwordHash, ...Object.fromEntries(members) };
}

/** Every user as a line of NDJSON, oldest first; those who register meanwhile come last. */
export async function* exportUsers(
  db: Pick<Database, 'read'>,
  secrets: Secrets,
): AsyncGenerator<string> {
  let after = '';
  for (;;) {
    const rows = await db.read(exportPage({ after, limit: PAGE }));
    for (const row of rows) {
      after = row.user.id;
      yield `${JSON.stringify(lineOf(row.user, await secretsOf(row, secrets)))}\n`;
    }
    if (rows.length < PAGE) return;
  }
}

function lineOf(user: ListedUser, secrets: Record<string, unknown>): Record<string, unknown> {
  return {
    id: user.id,
    external_id: user.externalId,
    username: user.username,
    email: user.email,
    pending_email: user.pendingEmail,
    phone: user.phone,
    display_name: user.displayName,
    user_metadata: user.userMetadata,
    claims: user.claims,
    disabled_at: time(user.disabledAt),
    password_change_required_at: time(user.passwordChangeRequiredAt),
    created_at: rfc3339(user.createdAt),
    updated_at: rfc3339(user.updatedAt),
    ...secrets,
  };
}
