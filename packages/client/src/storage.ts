/** Where a session is kept between calls; the caller chooses. */

/** As `localStorage` and `sessionStorage` are; or a store of your own, whose answers may take time. */
export interface SessionStorage {
  getItem(key: string): string | null | Promise<string | null>;
  setItem(key: string, value: string): void | Promise<void>;
  removeItem(key: string): void | Promise<void>;
}

/** What is kept. In cookie mode it has no refresh token, which the browser holds. */
export interface Session {
  readonly accessToken: string;
  /** When it is replaced, before its end: milliseconds since 1970, by this machine's clock. */
  readonly refreshAt: number;
  readonly refreshToken?: string;
  readonly sessionId: string;
}

/** Forgets with the page: nothing that a script of others could read. The default. */
export function memoryStorage(): SessionStorage {
  const values = new Map<string, string>();
  return {
    getItem: (key) => values.get(key) ?? null,
    setItem: (key, value) => void values.set(key, value),
    removeItem: (key) => void values.delete(key),
  };
}
