/** Signs users in at postern from browsers and Node, and keeps their session. */
export type * from './api.ts';
export { createClient } from './client.ts';
export type {
  CallOptions,
  Client,
  ClientOptions,
  ExternalProof,
  FirstFactor,
  NewPasskeyAccount,
  SecondFactor,
} from './client.ts';
export { PosternError } from './http.ts';
export type { Fetch, Patience } from './http.ts';
export { memoryStorage } from './storage.ts';
export type { Session, SessionStorage } from './storage.ts';
