/**
 * The session of one service: kept, refreshed by one tab at a time, and ended only when the service
 * says so.
 */
import type { Authenticated } from './api.ts';
import { host } from './host.ts';
import { PosternError } from './http.ts';
import type { Session, SessionStorage } from './storage.ts';

/** An access token is replaced this long before its end at most, milliseconds; a short one half-way. */
const EARLY_MS = 30_000;
/** How long a tab that waited for another one listens for what that one got. */
const LISTEN_MS = 1_000;

export interface SessionKeeper {
  read(): Promise<Session | null>;
  write(session: Session | null): Promise<void>;
  keep(done: Authenticated): Promise<Session>;
  /** Of the last sign-in on this device; it outlives the session. */
  device(): Promise<string | null>;
  keepDevice(token: string): Promise<void>;
  /**
   * The session with a token other than `stale`, refreshed by whichever tab comes first; null when
   * there is none.
   */
  renew(stale: string | undefined): Promise<Session | null>;
  isFresh(session: Session): boolean;
  onChange(listener: (session: Session | null) => void): () => void;
  close(): void;
}

export interface KeeperOptions {
  readonly name: string;
  readonly storage: SessionStorage;
  readonly hasCookie: boolean;
  readonly now: () => number;
  /** POST /refresh. @throws {PosternError} */
  readonly refresh: (session: Session | null) => Promise<Authenticated>;
}

/** Anything else may pass: a proxy's 502, a 403, a lost network. */
function isTheEnd(error: unknown): boolean {
  return error instanceof PosternError && (error.status === 400 || error.status === 401);
}

export function sessionKeeper(options: KeeperOptions): SessionKeeper {
  const { name, storage, hasCookie, now, refresh } = options;
  const listeners = new Set<(session: Session | null) => void>();
  const channel = host.BroadcastChannel === undefined ? null : new host.BroadcastChannel(name);
  channel?.unref?.();
  const deviceKey = `${name}:device`;
  let renewing: Promise<Session | null> | undefined;
  let heard: (() => void) | undefined;
  /** The service has said that the cookie opens nothing: not asked again before the next sign-in. */
  let isSignedOut = false;

  const read = async (): Promise<Session | null> => {
    const text = await storage.getItem(name);
    return text === null ? null : JSON.parse(text);
  };
  const tell = (session: Session | null): void => {
    for (const listener of listeners) listener(session);
  };
  const store = async (session: Session | null): Promise<void> => {
    isSignedOut = session === null;
    await (session === null
      ? storage.removeItem(name)
      : storage.setItem(name, JSON.stringify(session)));
    tell(session);
  };
  const write = async (session: Session | null): Promise<void> => {
    await store(session);
    // Tabs share the cookie's session, not what each has in its storage.
    channel?.postMessage(hasCookie ? session : null);
  };
  const hear = async (session: Session | null): Promise<void> => {
    if (hasCookie) await store(session);
    else tell(await read());
    heard?.();
  };
  if (channel !== null) channel.onmessage = ({ data }) => void hear(data as Session | null);

  const device = async (): Promise<string | null> => storage.getItem(deviceKey);
  // The browser has it as a cookie of its own.
  const keepDevice = async (token: string): Promise<void> =>
    hasCookie ? undefined : storage.setItem(deviceKey, token);

  const keep = async (done: Authenticated): Promise<Session> => {
    if (done.device_token !== undefined) await keepDevice(done.device_token);
    const lifeMs = done.expires_in * 1000;
    const session: Session = {
      accessToken: done.access_token,
      refreshAt: now() + lifeMs - Math.min(EARLY_MS, lifeMs / 2),
      sessionId: done.session_id,
      ...(done.refresh_token === undefined ? {} : { refreshToken: done.refresh_token }),
    };
    await write(session);
    return session;
  };

  const isFresh = ({ refreshAt }: Session): boolean => refreshAt > now();
  const isOther = (session: Session, stale: string | undefined): boolean =>
    session.accessToken !== stale && isFresh(session);

  const mayHold = (session: Session | null): boolean =>
    hasCookie ? !isSignedOut : session?.refreshToken !== undefined;

  const renewAlone = async (stale: string | undefined): Promise<Session | null> => {
    const session = await read();
    if (session !== null && isOther(session, stale)) return session;
    if (!mayHold(session)) return null;
    try {
      return await keep(await refresh(session));
    } catch (error) {
      if (!isTheEnd(error)) throw error;
      isSignedOut = true;
      if (session !== null) await write(null);
      return null;
    }
  };

  /** Waits for the message that the tab with the lock has sent, unless the storage has it. */
  const listen = async (stale: string | undefined): Promise<void> => {
    const session = await read();
    if (session !== null && isOther(session, stale)) return;
    await new Promise<void>((resolve) => {
      heard = resolve;
      setTimeout(resolve, LISTEN_MS);
    });
    heard = undefined;
  };

  const renewOnce = async (stale: string | undefined): Promise<Session | null> => {
    const locks = host.navigator?.locks;
    if (locks === undefined) return renewAlone(stale);
    const taken = await locks.request(name, { ifAvailable: true }, async (lock) =>
      lock === null ? null : { session: await renewAlone(stale) },
    );
    if (taken !== null) return taken.session;
    return locks.request(name, { ifAvailable: false }, async () => {
      await listen(stale);
      return renewAlone(stale);
    });
  };

  return {
    read,
    write,
    keep,
    device,
    keepDevice,
    isFresh,
    renew: (stale) => {
      renewing ??= renewOnce(stale).finally(() => (renewing = undefined));
      return renewing;
    },
    onChange: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    close: () => channel?.close(),
  };
}
