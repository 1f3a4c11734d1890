/**
 * The sealed content of unverified registrations, re-encrypted when the key-encryption key changes.
 */
import { and, eq, gt, isNotNull, sql } from 'drizzle-orm';
import { payloadPlace } from '../../core/one-time/payload.ts';
import { oneTime } from '../../core/one-time/tables.ts';
import { sealedColumn } from '../../core/sealed-value/reseal.ts';
import { given, prepare, query } from '../../db/prepare.ts';

export const sealedRegistrations = sealedColumn(
  'one_time.payload_sealed',
  {
    page: prepare(
      query
        .select({ key: oneTime.id, sealed: oneTime.payloadSealed })
        .from(oneTime)
        .where(and(gt(oneTime.id, given('after')), isNotNull(oneTime.payloadSealed)))
        .orderBy(oneTime.id)
        .limit(sql.placeholder('limit')),
    ),
    replace: prepare(
      query
        .update(oneTime)
        .set({ payloadSealed: given('sealed') })
        .where(and(eq(oneTime.id, given('key')), eq(oneTime.payloadSealed, given('seen'))))
        .returning({ id: oneTime.id }),
    ),
  },
  ({ key }) => [payloadPlace(key)],
);
