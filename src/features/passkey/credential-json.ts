/** What browsers send, as the schemas of the HTTP layer leave it. */
import type * as z from 'zod';
import type {
  AssertionJson as AssertionSchema,
  AttestationJson as AttestationSchema,
} from '../../http/factor-answer.ts';

export type AssertionJson = z.output<typeof AssertionSchema>;
export type AttestationJson = z.output<typeof AttestationSchema>;
