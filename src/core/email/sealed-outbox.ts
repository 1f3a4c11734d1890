/** The sealed contents of unsent emails, re-encrypted when the key-encryption key changes. */
import { and, eq, gt, isNotNull, sql } from 'drizzle-orm';
import { given, prepare, query } from '../../db/prepare.ts';
import { sealedColumn } from '../sealed-value/reseal.ts';
import { sealPurpose } from './outbox.ts';
import { outbox } from './tables.ts';
import { OUTBOX_TEMPLATES } from './templates.ts';

export const sealedOutbox = sealedColumn(
  'outbox.payload_sealed',
  {
    page: prepare(
      query
        .select({
          key: outbox.id,
          sealed: outbox.payloadSealed,
          template: outbox.template,
          recipient: outbox.recipient,
        })
        .from(outbox)
        .where(and(gt(outbox.id, given('after')), isNotNull(outbox.payloadSealed)))
        .orderBy(outbox.id)
        .limit(sql.placeholder('limit')),
    ),
    replace: prepare(
      query
        .update(outbox)
        .set({ payloadSealed: given('sealed') })
        .where(and(eq(outbox.id, given('key')), eq(outbox.payloadSealed, given('seen'))))
        .returning({ id: outbox.id }),
    ),
  },
  ({ key: id, template: name, recipient }) => {
    const template = OUTBOX_TEMPLATES.find((known) => known === name);
    // A decoy is sealed for no recipient.
    return template === undefined
      ? []
      : [recipient, ''].map((to) => sealPurpose({ id, template, recipient: to }));
  },
);
