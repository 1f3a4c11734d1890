/** The core's own columns of sealed values. */
import { sealedOutbox } from '../email/sealed-outbox.ts';
import type { SealedColumn } from './reseal.ts';
import { sealedColumn } from './reseal.ts';
import { sealPurpose } from '../signing-key/sealed-key.ts';
import { replaceSealed, sealedPage } from '../signing-key/store.ts';

export const coreSealedColumns: readonly SealedColumn[] = [
  sealedColumn(
    'signing_key.private_sealed',
    { page: sealedPage, replace: replaceSealed },
    ({ key }) => [sealPurpose(key)],
  ),
  sealedOutbox,
];
