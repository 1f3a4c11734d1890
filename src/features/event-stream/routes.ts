/** Fetching events (RFC 8936). */
import * as z from 'zod';
import type { Kernel } from '../../core/kernel.ts';
import { text } from '../../http/fields.ts';
import { apiKey, route } from '../../http/route.ts';
import type { AnyRoute } from '../../http/route.ts';
import { Refusal } from '../../refusal.ts';
import { createPoll } from './poll-events.ts';
import type { PollDeps } from './poll-events.ts';
import type { PushedStream } from './push-events.ts';

/** A stream whose events are fetched. */
export interface PolledStream extends PushedStream {
  /** Names of the API keys that may fetch; empty for every key of the scope. */
  readonly apiKeys: readonly string[];
}

const MAX_EVENTS = 100;
const DEFAULT_EVENTS = 25;

const jti = text({ min: 1, max: 64 });

const PollBody = z.strictObject({
  maxEvents: z
    .number()
    .int()
    .min(0)
    .max(MAX_EVENTS)
    .optional()
    .meta({
      description: `0 acknowledges alone; ${DEFAULT_EVENTS} without.`,
    }),
  returnImmediately: z.boolean().optional().meta({
    description: 'Whether an answer without events comes at once; without, after ten seconds.',
  }),
  ack: z.array(jti).max(1_000).optional().meta({ description: 'jti of events that were taken.' }),
  setErrs: z
    .record(
      jti,
      z.strictObject({
        err: text({ min: 1, max: 64 }),
        description: text({ min: 0, max: 256 }).optional(),
      }),
    )
    .optional()
    .meta({ description: 'Events that the receiver does not want, and why.' }),
});

const PollReply = z
  .object({
    sets: z.record(z.string(), z.string()).meta({
      description: 'Security Event Tokens by jti, in the order in which things happened.',
    }),
    moreAvailable: z.boolean(),
  })
  .meta({ id: 'PolledEvents' });

export function pollRoutes(
  kernel: Kernel,
  deps: PollDeps,
  streams: ReadonlyMap<string, PolledStream>,
): readonly AnyRoute[] {
  const poll = createPoll(deps);
  return [
    route({
      method: 'post',
      path: '/events/{stream}/poll',
      tag: 'Services',
      summary: 'Fetch the events of a stream, and acknowledge earlier ones (RFC 8936)',
      description: [
        'Every event comes until it is acknowledged. The names of members are those of the RFC.',
        'A key that the stream does not name gets 404.',
      ].join(' '),
      security: apiKey('events'),
      body: PollBody,
      status: 200,
      reply: PollReply,
      problems: ['not_found'],
      handle: async (call) => {
        const stream = streams.get(call.params['stream'] ?? '');
        const isOwn =
          stream !== undefined &&
          (stream.apiKeys.length === 0 || stream.apiKeys.includes(call.apiKey.name));
        if (!isOwn) throw new Refusal('not_found');
        const { body } = call;
        const errors = Object.entries(body.setErrs ?? {});
        const polled = await poll(kernel.context(call), stream, {
          maxEvents: body.maxEvents ?? DEFAULT_EVENTS,
          returnImmediately: body.returnImmediately === true,
          ack: body.ack ?? [],
          refused: new Map(
            errors.map(([id, { err, description }]) => [
              id,
              description === undefined ? err : `${err}: ${description}`,
            ]),
          ),
        });
        return { sets: Object.fromEntries(polled.tokens), moreAvailable: polled.hasMore };
      },
    }),
  ];
}
