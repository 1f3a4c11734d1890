/** Codes of an authenticator app as a second factor. */
import * as z from 'zod';
import type { App, FeatureFactor } from '../../app/capabilities.ts';
import { Refusal } from '../../refusal.ts';
import { bearer, route } from '../../http/route.ts';
import type { AnyRoute } from '../../http/route.ts';
import { rfc3339, timestamp } from '../../http/fields.ts';
import { RecoveryCodesReply } from '../../http/schemas.ts';
import type { Feature } from '../feature.ts';
import { confirmTotp, enrolTotp, removeTotp, verifyTotp } from './operations.ts';
import { findTotp } from './store.ts';

const Totp = z
  .object({ created_at: timestamp, last_used_at: timestamp.nullable() })
  .meta({ id: 'Totp' });

function totpFactor(app: App): FeatureFactor {
  return {
    name: 'totp',
    kind: 'device',
    demandsSecond: true,
    enrolled: async (userId) => (await findTotp(app.db, userId)) !== null,
    verify: (user, answer) => {
      if (answer.factor !== 'totp') throw new Refusal('invalid_credentials');
      return verifyTotp(app, user, answer.code);
    },
    listing: {
      shape: { totp: Totp.nullable() },
      list: async (user) => {
        const row = await findTotp(app.db, user.id);
        return {
          totp:
            row === null
              ? null
              : {
                  created_at: rfc3339(row.createdAt),
                  last_used_at: row.lastUsedAt === null ? null : rfc3339(row.lastUsedAt),
                },
        };
      },
    },
  };
}

function totpRoutes(app: App): readonly AnyRoute[] {
  return [
    route({
      method: 'post',
      path: '/me/totp',
      tag: 'Factors',
      summary: 'Begin to enrol an authenticator app',
      description:
        'The seed is shown this once. It does nothing until it is confirmed by a code; an authenticator that is in force stays so till then.',
      security: bearer({ fresh: true }),
      status: 201,
      reply: z
        .object({
          secret: z.string().meta({ description: 'Base 32, for typing.' }),
          otpauth_uri: z.string().meta({ description: 'For the QR code.' }),
        })
        .meta({ id: 'TotpEnrolment' }),
      problems: [],
      handle: async ({ principal }) => {
        const { secret, otpauthUri } = await enrolTotp(app, principal);
        return { secret, otpauth_uri: otpauthUri };
      },
    }),
    route({
      method: 'post',
      path: '/me/totp/confirm',
      tag: 'Factors',
      summary: 'Confirm the authenticator app by a code',
      description:
        'From here on sign-ins ask for it. Recovery codes come with the answer, this once; the other sessions end.',
      security: bearer({ fresh: true }),
      body: z.strictObject({ code: z.string().max(32, 'No code is that long.') }),
      status: 200,
      reply: RecoveryCodesReply,
      problems: ['invalid_code', 'conflict', 'too_many_attempts', 'overloaded'],
      handle: async ({ body, principal, requester, signal }) => ({
        recovery_codes: [
          ...(await confirmTotp(app, principal, body.code.replaceAll(' ', ''), requester, signal)),
        ],
      }),
    }),
    route({
      method: 'delete',
      path: '/me/totp',
      tag: 'Factors',
      summary: 'Take the authenticator app away',
      description:
        'The other sessions end. Recovery codes go with the last factor that they stand in for.',
      security: bearer({ fresh: true }),
      status: 204,
      problems: ['not_found', 'last_second_factor', 'conflict'],
      handle: ({ principal, requester }) => removeTotp(app, principal, requester),
    }),
  ];
}

export const totp: Feature = {
  name: 'totp',
  factors: (app) => (app.config.totp.enabled ? [totpFactor(app)] : []),
  contribute: (app) => ({ routes: app.config.totp.enabled ? totpRoutes(app) : [] }),
};
