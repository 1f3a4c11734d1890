/** POST /token: client_credentials and token exchange (RFC 6749 §4.4, RFC 8693). */
import * as z from 'zod';
import type { Kernel } from '../../core/kernel.ts';
import type { ServiceToken } from '../../core/token/service-token.ts';
import { tokenText } from '../../http/fields.ts';
import { apiKey, route } from '../../http/route.ts';
import type { AnyRoute } from '../../http/route.ts';
import { Refusal } from '../../refusal.ts';
import { ACCESS_TOKEN, EXCHANGE_GRANT, exchangeToken } from './exchange-token.ts';

const TokenForm = z.object({
  grant_type: z.string().max(128),
  resource: z.string().max(256).optional().meta({ description: 'An audience (RFC 8707).' }),
  scope: z.string().max(1_024).optional(),
  subject_token: tokenText().optional(),
  subject_token_type: z.string().max(128).optional(),
  requested_token_type: z.string().max(128).optional(),
  actor_token: z.string().optional(),
  audience: z.string().optional(),
  client_secret: z.string().optional(),
});

const TokenReply = z
  .object({
    access_token: z.string(),
    token_type: z.literal('Bearer'),
    expires_in: z.number().int(),
    scope: z.string().optional(),
    issued_token_type: z.literal(ACCESS_TOKEN).optional(),
  })
  .meta({ id: 'Token' });

function replyOf({ token, expiresInSeconds, scope }: ServiceToken) {
  return {
    access_token: token,
    token_type: 'Bearer' as const,
    expires_in: expiresInSeconds,
    ...(scope === '' ? {} : { scope }),
  };
}

export function tokenRoutes(kernel: Kernel): readonly AnyRoute[] {
  const exchange = exchangeToken(kernel);
  return [
    route({
      method: 'post',
      path: '/token',
      tag: 'Services',
      summary: "A service's token for itself, or a narrower one for a user whose token it holds",
      description:
        "grant_type=client_credentials: a token in the name of the API key, for one of its audiences. grant_type=urn:ietf:params:oauth:grant-type:token-exchange (scope exchange): a token for one resource in the name of the user of subject_token, with act; never more scopes, claims or lifetime than that token, at most five minutes, and refused once the user's session has ended.",
      security: apiKey('any'),
      protocol: 'oauth',
      limit: 'token',
      body: TokenForm,
      status: 200,
      reply: TokenReply,
      problems: [
        'unsupported_grant_type',
        'unauthorized_client',
        'invalid_target',
        'invalid_scope',
      ],
      handle: async (call) => {
        const { body, apiKey: key } = call;
        // One authentication method per request (RFC 6749 §2.3).
        if (body.client_secret !== undefined) throw new Refusal('invalid_api_key');
        const { resource, scope } = body;
        if (body.grant_type === 'client_credentials')
          return replyOf(kernel.serviceTokens.forKey(key, { resource, scope }));
        if (body.grant_type !== EXCHANGE_GRANT) throw new Refusal('unsupported_grant_type');
        const exchanged = await exchange(kernel.context(call), {
          key,
          resource,
          scope,
          subjectToken: body.subject_token,
          subjectTokenType: body.subject_token_type,
          requestedTokenType: body.requested_token_type,
          actorToken: body.actor_token,
          audience: body.audience,
        });
        return { issued_token_type: ACCESS_TOKEN, ...replyOf(exchanged) } as const;
      },
    }),
  ];
}
