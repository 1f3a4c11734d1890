/** The signing keys over HTTP, for programs of those who run the service. */
import * as z from 'zod';
import type { Kernel } from '../../core/kernel.ts';
import type { KeyInfo } from '../../core/signing-key/key-ring.ts';
import { rfc3339, timestamp } from '../../http/fields.ts';
import { apiKey, route } from '../../http/route.ts';
import type { AnyRoute } from '../../http/route.ts';
import { rotateSigningKey } from './rotate-signing-key.ts';

const security = apiKey('admin');
const tag = 'Administration';

const purpose = z.enum(['access', 'internal']).meta({
  description: 'access: the keys of the JWKS. internal: those of refresh and challenge tokens.',
});

const SigningKeyReply = z
  .object({
    kid: z.string(),
    purpose,
    algorithm: z.string(),
    state: z.enum(['next', 'active', 'retiring', 'retired', 'withdrawn']),
    created_at: timestamp,
    activates_at: timestamp,
    retires_at: timestamp.nullable(),
  })
  .meta({ id: 'SigningKey' });

/** A signing key as the administration API and `--json` show it. */
export function signingKeyReply(key: KeyInfo): z.input<typeof SigningKeyReply> {
  return {
    kid: key.kid,
    purpose: key.purpose,
    algorithm: key.algorithm,
    state: key.state,
    created_at: rfc3339(key.createdAt),
    activates_at: rfc3339(key.activatesAt),
    retires_at: key.retiresAt === null ? null : rfc3339(key.retiresAt),
  };
}

export function signingKeyRoutes(kernel: Kernel): readonly AnyRoute[] {
  const rotate = rotateSigningKey(kernel);
  return [
    route({
      method: 'get',
      path: '/admin/signing-keys',
      tag,
      summary: 'List the signing keys',
      description: 'Which one signs, and which ones still verify; nothing secret.',
      security,
      status: 200,
      reply: z.object({ keys: z.array(SigningKeyReply) }),
      problems: [],
      handle: async () => ({ keys: kernel.signingKeys.list().map(signingKeyReply) }),
    }),
    route({
      method: 'post',
      path: '/admin/signing-keys/rotate',
      tag,
      summary: 'Make a new signing key',
      description: [
        'It signs in ten minutes, when the caches of verifiers know it, or at_once. withdraw',
        'makes every token of the older keys invalid at once: for a key that leaked.',
      ].join(' '),
      security,
      body: z.strictObject({
        purpose: purpose.optional(),
        at_once: z.boolean().optional(),
        withdraw: z.boolean().optional(),
      }),
      status: 201,
      reply: z.object({ kid: z.string(), activates_at: timestamp }),
      problems: ['conflict'],
      handle: async (call) => {
        const { body } = call;
        const { kid, activatesAt } = await rotate(kernel.context(call), {
          purpose: body.purpose ?? 'access',
          starts: body.at_once === true ? 'at_once' : 'after_caches',
          olderKeys: body.withdraw === true ? 'withdraw' : 'keep',
        });
        return { kid, activates_at: rfc3339(activatesAt) };
      },
    }),
  ];
}
