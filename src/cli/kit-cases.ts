/** The tokens of the conformance kit, each with the expected verdict of a verifier. */
import { sharedSecretKey } from '../crypto/signing-keys.ts';
import { signBytes } from '../crypto/jws-signature.ts';
import type { JwsKey } from '../crypto/jws.ts';
import { KIT_AUDIENCE } from './kit-issuer.ts';
import type { KitIssuer, TokenShape } from './kit-issuer.ts';

/** `either`: a verifier may tolerate clock differences, or not. */
export type Verdict = 'accept' | 'refuse' | 'either';

export interface KitCase {
  readonly name: string;
  readonly expect: Verdict;
  /** `status_list`: only for verifiers that read status lists. */
  readonly needs: 'nothing' | 'status_list';
  readonly why: string;
  readonly token: string;
}

/** The bit that is set from the start. */
const REVOKED_INDEX = 1;

export function kitCases(kit: KitIssuer): readonly KitCase[] {
  kit.revoke(REVOKED_INDEX);
  return [
    ...goodCases(kit),
    ...signatureCases(kit),
    ...claimCases(kit),
    ...formCases(kit),
    ...statusCases(kit),
  ];
}

const one =
  (expect: Verdict, needs: KitCase['needs'] = 'nothing') =>
  (name: string, why: string, token: string): KitCase => ({ name, expect, needs, why, token });
const accept = one('accept');
const refuse = one('refuse');
const either = one('either');

function goodCases(kit: KitIssuer): readonly KitCase[] {
  const now = kit.now();
  const far = { exp: now - 20 };
  return [
    accept('good', 'a token as postern issues it', kit.token()),
    accept(
      'with roles',
      "an operator's claims",
      kit.token({ claims: { roles: ['a'], scope: 'x y' } }),
    ),
    accept(
      'without a status list',
      'lists can be off',
      kit.token({ claims: { status: undefined } }),
    ),
    either(
      'expired 20 s ago',
      'within a usual leeway',
      kit.token({ claims: { iat: now - 920, nbf: now - 920, ...far } }),
    ),
    either(
      '20 s from the future',
      'within a usual leeway',
      kit.token({ claims: { iat: now + 20, nbf: now + 20 } }),
    ),
  ];
}

function signatureCases(kit: KitIssuer): readonly KitCase[] {
  const { stranger } = kit;
  const hmac = sharedSecretKey(kit.signerPem(), ['at+jwt']);
  const hmacKey: JwsKey = { ...hmac, kid: kit.signer().kid };
  const signed = (input: string): string =>
    signBytes(stranger.alg, signKeyOf(stranger), Buffer.from(input)).toString('base64url');
  const zeros = Buffer.alloc(64).toString('base64url');
  const good = kit.token();
  const [head = '', , signature = ''] = good.split('.');
  const other = kit.token({ claims: { sub: 'root' } }).split('.')[1] ?? '';
  const shapes: readonly (readonly [name: string, why: string, shape: TokenShape])[] = [
    ['alg none', 'no signature at all', { header: { alg: 'none' }, signature: () => '' }],
    ['alg nOnE', 'the same in another spelling', { header: { alg: 'nOnE' }, signature: () => '' }],
    ['alg none with a signature', 'RFC 8725 §3.1', { header: { alg: 'none' } }],
    ['HS256 with the public key', 'the PEM as the secret (RFC 8725 §2.1)', { key: hmacKey }],
    ['another algorithm in the header', 'the key is for ES256', { header: { alg: 'RS256' } }],
    ['a stranger’s key', 'under the id of the right one', { key: stranger }],
    [
      'an unknown kid',
      'signed by a key that is published nowhere',
      { key: { ...stranger, kid: 'unknown' } },
    ],
    ['kid as a path', 'an id is looked up, never opened', { header: { kid: '../../dev/null' } }],
    [
      'jwk in the header',
      'the token brings its key along',
      { header: { jwk: { kty: 'EC', crv: 'P-256', x: 'AAAA', y: 'AAAA' } }, signature: signed },
    ],
    [
      'jku in the header',
      'the token says where its key is',
      { header: { jku: `${kit.issuer}/evil` }, signature: signed },
    ],
    ['a signature of zeros', 'CVE-2022-21449', { signature: () => zeros }],
    ['an empty signature', 'cut off', { signature: () => '' }],
  ];
  return [
    ...shapes.map(([name, why, shape]) => refuse(name, why, kit.token(shape))),
    refuse('altered claims', 'the signature is of others', `${head}.${other}.${signature}`),
  ];
}

function signKeyOf({ signKey }: JwsKey) {
  if (signKey === undefined) throw new Error('no private key');
  return signKey;
}

function claimCases(kit: KitIssuer): readonly KitCase[] {
  const now = kit.now();
  const old = { iat: now - 2_000, nbf: now - 2_000, exp: now - 1_100 };
  const shapes: readonly (readonly [name: string, why: string, shape: TokenShape])[] = [
    ['typ JWT', 'it is no access token (RFC 9068 §4)', { header: { typ: 'JWT' } }],
    ['typ rt+jwt', 'a refresh token', { header: { typ: 'rt+jwt' } }],
    ['no typ', 'explicit typing (RFC 8725 §3.11)', { header: { typ: undefined } }],
    [
      'crit',
      'an extension that nobody knows (RFC 7515 §4.1.11)',
      { header: { crit: ['x'], x: 1 } },
    ],
    ['another issuer', '', { claims: { iss: 'https://evil.example.com' } }],
    [
      'the issuer with a slash',
      'issuers are compared as texts',
      { claims: { iss: `${kit.issuer}/` } },
    ],
    ['no issuer', '', { claims: { iss: undefined } }],
    ['another audience', '', { claims: { aud: 'https://billing.example.com' } }],
    ['an audience that begins alike', '', { claims: { aud: `${KIT_AUDIENCE}.evil.example` } }],
    ['no audience', '', { claims: { aud: undefined } }],
    ['expired', '18 minutes ago', { claims: old }],
    ['no exp', 'a token without an end', { claims: { exp: undefined } }],
    [
      'not yet valid',
      'in an hour',
      { claims: { nbf: now + 3_600, iat: now + 3_600, exp: now + 4_500 } },
    ],
    ['exp as a text', '', { claims: { exp: String(now + 900) } }],
  ];
  return shapes.map(([name, why, shape]) => refuse(name, why, kit.token(shape)));
}

function formCases(kit: KitIssuer): readonly KitCase[] {
  const good = kit.token();
  const [head = '', payload = '', signature = ''] = good.split('.');
  const json = JSON.stringify({ payload, signatures: [{ protected: head, signature }] });
  return [
    refuse('a word', 'no token', 'token'),
    refuse('two parts', '', `${head}.${payload}`),
    refuse('four parts', '', `${good}.${signature}`),
    refuse('five parts', 'a JWE', `${head}.${payload}.${payload}.${payload}.${signature}`),
    refuse('JSON serialisation', 'RFC 7515 §7.2', json),
    refuse('a header that is no JSON', '', `e30x.${payload}.${signature}`),
    refuse('a status list', 'another kind of token of the same key', kit.statusToken()),
  ];
}

function statusCases(kit: KitIssuer): readonly KitCase[] {
  const at = (idx: unknown, uri = `${kit.issuer}/status-lists/0`): string =>
    kit.token({ claims: { status: { status_list: { idx, uri } } } });
  const listed = one('refuse', 'status_list');
  return [
    listed('revoked', 'its bit is set', at(REVOKED_INDEX)),
    listed('an index out of range', 'nobody vouches for it', at(1_000_000)),
    listed('an index below nought', '', at(-1)),
    listed('a list of somebody else', 'not under the issuer', at(0, 'https://evil.example.com/0')),
  ];
}
