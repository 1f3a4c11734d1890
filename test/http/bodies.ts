/** Bodies that nobody sends by accident, and how each is refused at POST /login. */
import { PASSWORD } from '../support/app.ts';

export const goodBody = JSON.stringify({ username: 'nobody', password: PASSWORD });
const nested = (depth: number) => `{"username":${'['.repeat(depth)}${']'.repeat(depth)}}`;
export const hostileBodies: readonly (readonly [
  name: string,
  raw: string | Uint8Array,
  status: number,
  code: string,
])[] = [
  ['not JSON', '{"username":', 400, 'malformed_request'],
  ['an empty text', ' ', 400, 'malformed_request'],
  ['NaN', '{"username":NaN}', 400, 'malformed_request'],
  ['1e999', '{"username":1e999}', 422, 'invalid_request'],
  ['a member twice', '{"username":"a","username":"b","password":"c"}', 400, 'malformed_request'],
  [
    'a member twice, once escaped',
    '{"username":"a","usern\\u0061me":"b","password":"c"}',
    400,
    'malformed_request',
  ],
  [
    '__proto__',
    '{"username":"a","password":"b","__proto__":{"admin":true}}',
    400,
    'malformed_request',
  ],
  ['nine levels', nested(8), 400, 'malformed_request'],
  ['30,000 levels', nested(30_000), 400, 'malformed_request'],
  ['100,000 levels', nested(100_000), 413, 'content_too_large'],
  [
    '7,000 members',
    `{${Array.from({ length: 7_000 }, (_, i) => `"m${i}":1`).join()}}`,
    413,
    'content_too_large',
  ],
  [
    '5,000 members',
    `{${Array.from({ length: 5_000 }, (_, i) => `"m${i}":1`).join()}}`,
    422,
    'invalid_request',
  ],
  ['a string of a megabyte', `{"username":"${'a'.repeat(1 << 20)}"}`, 413, 'content_too_large'],
  [
    'a string of 60 kB',
    `{"username":"${'a'.repeat(60_000)}","password":"b"}`,
    422,
    'invalid_request',
  ],
  ['a byte order mark', `\ufeff${goodBody}`, 400, 'malformed_request'],
  ['UTF-16', Buffer.from(goodBody, 'utf16le'), 400, 'malformed_request'],
  ['UTF-16 with its mark', Buffer.from(`\ufeff${goodBody}`, 'utf16le'), 400, 'malformed_request'],
  [
    'invalid UTF-8',
    Buffer.from(`{"username":"\xff","password":"b"}`, 'latin1'),
    400,
    'malformed_request',
  ],
  [
    'overlong UTF-8',
    Buffer.from(`{"username":"\xc0\xaf","password":"b"}`, 'latin1'),
    400,
    'malformed_request',
  ],
  [
    'a surrogate in UTF-8',
    Buffer.from(`{"username":"\xed\xa0\x80","password":"b"}`, 'latin1'),
    400,
    'malformed_request',
  ],
  ['a lone surrogate escaped', '{"username":"\\ud800","password":"b"}', 422, 'invalid_request'],
  ['NUL escaped', '{"username":"a\\u0000","password":"b"}', 422, 'invalid_request'],
  ['an array', '[]', 422, 'invalid_request'],
  ['null', 'null', 422, 'invalid_request'],
  ['a string', '"a"', 422, 'invalid_request'],
  ['an unknown member', '{"username":"a","password":"b","role":"admin"}', 422, 'invalid_request'],
  [
    'operators in place of text',
    '{"username":{"$ne":null},"password":{"$gt":""}}',
    422,
    'invalid_request',
  ],
];
