/** Passkeys. */
import type { Feature } from '../feature.ts';

export const passkey: Feature = { name: 'passkey', contribute: () => ({ routes: [] }) };
