/** Passkeys by the browser's own API. */
import { host } from './host.ts';

type Json = Record<string, unknown>;

const toBytes = (text: string): Uint8Array =>
  Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (char) =>
    char.charCodeAt(0),
  );

const toText = (bytes: ArrayBuffer): string =>
  btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');

const BYTES = new Set(['challenge', 'id']);

/** Base64url members as bytes, for browsers without parse…OptionsFromJSON. */
function decoded(value: unknown, name = '', parent = ''): unknown {
  if (typeof value === 'string') {
    const isBytes = BYTES.has(name) && parent !== 'rp';
    return isBytes ? toBytes(value) : value;
  }
  if (Array.isArray(value)) return value.map((one) => decoded(one, '', name));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [key, decoded(one, key, name)]),
  );
}

/** A credential as JSON, for browsers without toJSON. */
function encoded(value: unknown): unknown {
  if (value instanceof ArrayBuffer) return toText(value);
  return value ?? undefined;
}

function credentialJson(credential: unknown): Json {
  const given = credential as Json & { toJSON?: () => Json };
  if (typeof given.toJSON === 'function') return given.toJSON();
  const response = given['response'] as Json;
  const members = [
    'clientDataJSON',
    'attestationObject',
    'authenticatorData',
    'signature',
    'userHandle',
  ];
  return {
    id: given['id'],
    rawId: given['id'],
    type: given['type'],
    clientExtensionResults: {},
    response: Object.fromEntries(members.map((name) => [name, encoded(response[name])])),
  };
}

function credentials() {
  const api = host.navigator?.credentials;
  if (api === undefined) throw new Error('passkeys need a browser, and https or localhost');
  return api;
}

/** The offer that waits in a field; a browser has one request for a passkey at a time. */
let offer: AbortController | undefined;

function endOffer(): void {
  offer?.abort();
  offer = undefined;
}

/** Has the authenticator make a passkey. @throws the browser's DOMException */
export async function createPasskey(options: unknown): Promise<Json> {
  endOffer();
  const parse = host.PublicKeyCredential?.parseCreationOptionsFromJSON;
  const publicKey = parse?.call(host.PublicKeyCredential, options) ?? decoded(options);
  return credentialJson(await credentials().create({ publicKey }));
}

function requestOf(options: unknown): object {
  const parse = host.PublicKeyCredential?.parseRequestOptionsFromJSON;
  return { publicKey: parse?.call(host.PublicKeyCredential, options) ?? decoded(options) };
}

/** Has the authenticator answer. @throws the browser's DOMException */
export async function usePasskey(options: unknown): Promise<Json> {
  endOffer();
  return credentialJson(await credentials().get(requestOf(options)));
}

/** Whether passkeys can be offered among the autofill of a field. */
export async function canOfferPasskeys(): Promise<boolean> {
  const api = host.PublicKeyCredential;
  return (await api?.isConditionalMediationAvailable?.()) === true;
}

/** Before the challenge has expired. */
const OFFER_MS = 240_000;

/** Waits until the user chooses one. @throws the browser's DOMException */
export async function offerPasskeys(
  options: unknown,
  signal?: AbortSignal,
): Promise<Json | 'aborted' | 'expired'> {
  endOffer();
  const own = new AbortController();
  offer = own;
  let isExpired = false;
  const timer = setTimeout(() => {
    isExpired = true;
    own.abort();
  }, OFFER_MS);
  const abort = () => own.abort();
  if (signal?.aborted === true) abort();
  signal?.addEventListener('abort', abort, { once: true });
  try {
    const request = { ...requestOf(options), mediation: 'conditional', signal: own.signal };
    return credentialJson(await credentials().get(request));
  } catch (error) {
    if (!own.signal.aborted) throw error;
    return isExpired ? 'expired' : 'aborted';
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
    if (offer === own) offer = undefined;
  }
}
