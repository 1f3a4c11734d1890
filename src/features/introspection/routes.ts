/** POST /introspect (RFC 7662) and POST /revoke (RFC 7009). */
import * as z from 'zod';
import type { Kernel } from '../../core/kernel.ts';
import { tokenText } from '../../http/fields.ts';
import { apiKey, route } from '../../http/route.ts';
import type { AnyRoute } from '../../http/route.ts';
import { introspect } from './introspect.ts';
import { revoke } from './revoke.ts';

/** The hint only says where to look first (RFC 7009 §2.1); the token itself shows its type. */
const TokenForm = z.object({
  token: tokenText(),
  token_type_hint: z.string().max(64).optional(),
});

const IntrospectionReply = z
  .looseObject({
    active: z.boolean(),
    token_type: z.literal('Bearer').optional(),
    iss: z.string().optional(),
    sub: z.string().optional(),
    aud: z.string().optional(),
    client_id: z.string().optional(),
    exp: z.number().int().optional(),
    iat: z.number().int().optional(),
    nbf: z.number().int().optional(),
    jti: z.string().optional(),
    scope: z.string().optional(),
  })
  .meta({ id: 'Introspection' });

export function introspectionRoutes(kernel: Kernel): readonly AnyRoute[] {
  const look = introspect(kernel);
  const end = revoke(kernel);
  return [
    route({
      method: 'post',
      path: '/introspect',
      tag: 'Services',
      summary: 'Introspect an access token (RFC 7662)',
      description:
        'The claims of an access token of any audience that is valid now. Everything else, including refresh tokens, is exactly { "active": false }.',
      security: apiKey('introspect'),
      protocol: 'oauth',
      limit: 'token',
      body: TokenForm,
      status: 200,
      reply: IntrospectionReply,
      problems: [],
      handle: async (call) => {
        const claims = await look(kernel.context(call), call.body.token);
        if (claims === null) return { active: false };
        return { active: true, token_type: 'Bearer' as const, ...claims };
      },
    }),
    route({
      method: 'post',
      path: '/revoke',
      tag: 'Services',
      summary: 'Revoke a token (RFC 7009)',
      description:
        'Ends the session of a refresh or access token, and so all of its tokens, including those for other audiences. Unknown and expired tokens get the same answer.',
      security: apiKey('introspect'),
      protocol: 'oauth',
      limit: 'token',
      body: TokenForm,
      status: 200,
      problems: ['unsupported_token_type'],
      handle: (call) => end(kernel.context(call), call.body.token),
    }),
  ];
}
