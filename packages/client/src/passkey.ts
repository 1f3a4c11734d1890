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

/** Has the authenticator make a passkey. @throws the browser's DOMException */
export async function createPasskey(options: unknown): Promise<Json> {
  const parse = host.PublicKeyCredential?.parseCreationOptionsFromJSON;
  const publicKey = parse?.call(host.PublicKeyCredential, options) ?? decoded(options);
  return credentialJson(await credentials().create({ publicKey }));
}

/** Has the authenticator answer. @throws the browser's DOMException */
export async function usePasskey(options: unknown): Promise<Json> {
  const parse = host.PublicKeyCredential?.parseRequestOptionsFromJSON;
  const publicKey = parse?.call(host.PublicKeyCredential, options) ?? decoded(options);
  return credentialJson(await credentials().get({ publicKey }));
}
