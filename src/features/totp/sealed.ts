/** The sealed seeds, for when the key-encryption key changes. */
import { and, eq, gt, sql } from 'drizzle-orm';
import { sealedColumn } from '../../core/sealed-column.ts';
import { session } from '../../core/session/tables.ts';
import { user } from '../../core/user/tables.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import { enrolmentPlace, sealPurpose } from './authenticators.ts';
import { totp, totpEnrolment } from './tables.ts';

const limit = sql.placeholder('limit');

const seeds = sealedColumn(
  'totp.secret_sealed',
  {
    page: prepare(
      query
        .select({ key: totp.userId, sealed: totp.secretSealed })
        .from(totp)
        .where(gt(totp.userId, given('after')))
        .orderBy(totp.userId)
        .limit(limit),
    ),
    replace: prepare(
      query
        .update(totp)
        .set({ secretSealed: given('sealed') })
        .where(and(eq(totp.userId, given('key')), eq(totp.secretSealed, given('seen'))))
        .returning({ userId: totp.userId }),
    ),
  },
  ({ key }) => [sealPurpose(key)],
);

/** Which session it was shown to is not stored: one of the user's. */
const enrolments = sealedColumn(
  'totp_enrolment.secret_sealed',
  {
    page: prepare(
      query
        .select({
          key: totpEnrolment.userId,
          sealed: totpEnrolment.secretSealed,
          epoch: user.epoch,
          sessions: sql<string>`(select json_group_array(${session.id}) from ${session} where ${session.userId} = ${totpEnrolment.userId})`,
        })
        .from(totpEnrolment)
        .innerJoin(user, eq(user.id, totpEnrolment.userId))
        .where(gt(totpEnrolment.userId, given('after')))
        .orderBy(totpEnrolment.userId)
        .limit(limit),
    ),
    replace: prepare(
      query
        .update(totpEnrolment)
        .set({ secretSealed: given('sealed') })
        .where(
          and(
            eq(totpEnrolment.userId, given('key')),
            eq(totpEnrolment.secretSealed, given('seen')),
          ),
        )
        .returning({ userId: totpEnrolment.userId }),
    ),
  },
  ({ key: userId, epoch, sessions }) => {
    const ids: unknown = JSON.parse(sessions);
    return Array.isArray(ids)
      ? ids.map((id) => enrolmentPlace({ userId, sessionId: String(id), epoch }))
      : [];
  },
);

export const sealedSeeds = [seeds, enrolments];
