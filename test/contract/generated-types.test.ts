/**
 * The document as other generators read it: openapi-typescript's types compile under the strictest
 * settings, narrow by `status`, and say what the types of @postern/client say.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const GENERATOR = join(ROOT, 'test/generated-types');
let folder: string;

beforeAll(() => {
  // Beside the generator, whose compiler is found from there.
  folder = mkdtempSync(join(GENERATOR, 'made-'));
  execFileSync(
    process.execPath,
    [
      join(GENERATOR, 'node_modules/openapi-typescript/bin/cli.js'),
      join(ROOT, 'docs/openapi.json'),
      '--output',
      join(folder, 'schema.ts'),
    ],
    { cwd: GENERATOR, stdio: 'pipe' },
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const HEAD = `
import type { components, operations, paths } from './schema.ts';
import type * as client from '../../../packages/client/src/api.ts';
type Schemas = components['schemas'];
type Login = paths['/login']['post'];
type Answer = Login['responses'][200]['content']['application/json'];
declare const answer: Answer;
`;

/** What the compiler says about a program that uses the types; empty if nothing. */
function compile(name: string, program: string): string {
  const file = join(folder, `${name}.ts`);
  writeFileSync(file, HEAD + program);
  const options = [
    '--ignoreConfig --noEmit --strict --noUncheckedIndexedAccess --exactOptionalPropertyTypes',
    '--noPropertyAccessFromIndexSignature --noImplicitReturns --allowImportingTsExtensions',
    '--module nodenext --moduleResolution nodenext --target es2023 --lib es2023',
  ];
  try {
    execFileSync(
      process.execPath,
      [join(ROOT, 'node_modules/typescript/bin/tsc'), ...options.join(' ').split(' '), file],
      { cwd: ROOT, stdio: 'pipe', encoding: 'utf8' },
    );
    return '';
  } catch (error) {
    return error instanceof Error && 'stdout' in error ? String(error.stdout) : String(error);
  }
}

test('they compile, and status narrows the answer of a sign-in', () => {
  expect(
    compile(
      'narrows',
      `
function next(given: Answer): string {
  switch (given.status) {
    case 'authenticated':
      return given.access_token;
    case 'mfa_required': {
      const factor: 'totp' | 'passkey' | 'recovery_code' | 'password' | undefined = given.factors[0];
      return given.challenge_token + factor;
    }
  }
}
if (answer.status === 'mfa_required') {
  // @ts-expect-error a pending sign-in has no token
  answer.access_token;
} else {
  // @ts-expect-error one that is done has no challenge
  answer.challenge_token;
}
const body: NonNullable<Login['requestBody']>['content']['application/json'] = { username: 'ada', password: 'x' };
// @ts-expect-error a member that does not exist
const wrong: typeof body = { username: 'ada', password: 'x', remember: true };
export { next, body, wrong };
`,
    ),
  ).toBe('');
});

test('problems have the members that programs read', () => {
  expect(
    compile(
      'problems',
      `
declare const problem: Login['responses'][401]['content']['application/problem+json'];
const code: string = problem.code;
const first: string | undefined = problem.errors?.[0]?.pointer;
export { code, first };
export type Operation = operations[keyof operations];
`,
    ),
  ).toBe('');
});

test('they and the types of @postern/client take the same values', () => {
  const names = ['User', 'Authenticated', 'MfaRequired', 'Authentication', 'Passkey', 'Problem'];
  expect(
    compile(
      'same',
      `
type Frozen<T> = T extends object ? { readonly [Key in keyof T]: Frozen<T[Key]> } : T;
${names
  .map(
    (name) => `
declare const generated${name}: Frozen<Schemas['${name}']>;
declare const own${name}: client.${name};
export const one${name}: client.${name} = generated${name};
export const other${name}: Frozen<Schemas['${name}']> = own${name};
`,
  )
  .join('')}
`,
    ),
  ).toBe('');
});

test('the compiler does look: a wrong use is an error', () => {
  expect(compile('wrong', 'export const token: string = answer.access_token;')).toMatch(
    /error TS2339/,
  );
});
