/** What an API key may be used for. A key has at least one scope. */
export const API_KEY_SCOPES = ['introspect', 'exchange', 'caller', 'events', 'admin'] as const;

export type ApiKeyScope = (typeof API_KEY_SCOPES)[number];

export function isApiKeyScope(text: string): text is ApiKeyScope {
  return API_KEY_SCOPES.some((scope) => scope === text);
}
