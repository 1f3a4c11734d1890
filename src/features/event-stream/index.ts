/** What happens to accounts, told to other systems as Security Event Tokens (RFC 8417). */
import { feature } from '../feature.ts';
import { createEventTokens } from './event-token.ts';
import { postEvent } from './post-event.ts';
import { createPusher } from './push-events.ts';
import { pollRoutes } from './routes.ts';
import type { PolledStream } from './routes.ts';
import { runPushers } from './run-push.ts';
import { LETTERS_KEPT_MS, beginStream, letterSweep } from './store.ts';

export const eventStream = feature({
  name: 'event-stream',
  settings: ({ streams }) => ({ streams }),
  create: (kernel, { streams }) => {
    const { db, commit, clock, log, newId } = kernel;
    const recorded = kernel.audit;
    const tokens = createEventTokens(kernel);
    const all = [...streams].map(([name, { audience, events, url, api_keys }]) => ({
      name,
      audience,
      events,
      url,
      apiKeys: api_keys,
    }));
    const polled = new Map<string, PolledStream>(
      all.flatMap((stream) => (stream.url === undefined ? [[stream.name, stream]] : [])),
    );
    const start = async (): Promise<void> => {
      const last = await recorded.last();
      if (all.length > 0) await commit.inAnySession(all.map(({ name }) => beginStream(name, last)));
    };
    return {
      routes: () =>
        polled.size > 0 ? pollRoutes(kernel, { db, commit, clock, recorded, tokens }, polled) : [],
      sweeps: [{ sweep: letterSweep, keptMs: LETTERS_KEPT_MS }],
      background: async () => {
        await start();
        const owner = newId();
        return runPushers(
          all.flatMap(({ url, ...stream }) =>
            url === undefined
              ? []
              : createPusher(
                  {
                    db,
                    clock,
                    log,
                    recorded,
                    tokens,
                    owner,
                    post: (token, signal) => postEvent(url, token, signal),
                  },
                  stream,
                ),
          ),
          log,
        );
      },
    };
  },
});
