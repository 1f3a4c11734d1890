/** What happens to accounts, told to other systems as Security Event Tokens (RFC 8417). */
import { feature } from '../feature.ts';
import { createEventTokens } from './event-token.ts';
import { postEvent } from './post-event.ts';
import { createPusher } from './push-events.ts';
import { recordedEvents } from './recorded-event.ts';
import { pollRoutes } from './routes.ts';
import { runPushers } from './run-push.ts';
import { LETTERS_KEPT_MS, beginStream, letterSweep } from './store.ts';

export const eventStream = feature({
  name: 'event-stream',
  settings: ({ streams }) =>
    [...streams].map(([name, { audience, events, url, api_keys, bearer_token }]) => ({
      name,
      audience,
      events,
      url,
      apiKeys: api_keys,
      bearerToken: bearer_token,
    })),
  create: (kernel, streams) => {
    const { db, commit, clock, log, newId } = kernel;
    const recorded = recordedEvents(db);
    const tokens = createEventTokens(kernel);
    const polled = new Map(
      streams.filter(({ url }) => url === undefined).map((stream) => [stream.name, stream]),
    );
    const shared = { db, commit, clock, recorded, tokens };
    return {
      routes: () => pollRoutes(kernel, shared, polled),
      sweeps: [{ sweep: letterSweep, keptMs: LETTERS_KEPT_MS }],
      background: async () => {
        const last = await recorded.last();
        if (streams.length > 0)
          await commit.inAnySession(streams.map(({ name }) => beginStream(name, last)));
        const owner = newId();
        const pushers = streams.flatMap(({ url, bearerToken, ...stream }) => {
          if (url === undefined) return [];
          const to = { url, bearerToken };
          return createPusher(
            { ...shared, log, owner, post: (token, signal) => postEvent(to, token, signal) },
            stream,
          );
        });
        return runPushers(pushers, log);
      },
    };
  },
});
