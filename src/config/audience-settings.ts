/** The settings of one `[audiences."…"]` section. */
import type * as z from 'zod';
import { duration, list, section } from '../lib/setting.ts';
import type { Reading } from '../lib/setting.ts';

const CLAIM = /^[A-Za-z][A-Za-z0-9_.:/-]{0,127}$/;
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/;

export const audienceSchema = section('A service that gets tokens of its own.', {
  ttl: duration({
    sentence: 'Lifetime of its access tokens; never longer than tokens.access_ttl.',
    default: '15m',
    min: '10s',
    max: '15m',
  }),
  claims: list({
    sentence: "Profile claims and operators' claims that its tokens carry.",
    default: [],
    unit: 'claim names such as "roles" or "preferred_username"',
    read: matching(CLAIM, 'Write a claim name such as "roles".'),
  }),
  scopes: list({
    sentence: 'Scopes that its tokens may have.',
    default: [],
    unit: 'scopes such as "invoices:read"',
    read: matching(SCOPE, 'Write a scope without spaces such as "invoices:read".'),
  }),
});

export type AudienceSettings = z.output<typeof audienceSchema>;

function matching(form: RegExp, remedy: string): (text: string) => Reading<string> {
  return (text) => (form.test(text) ? { value: text } : { refusals: [{ remedy }] });
}
