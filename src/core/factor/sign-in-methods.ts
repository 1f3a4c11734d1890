/**
 * The sign-in methods: what a sign-in can begin with. Each feature supplies one; that the last one
 * of an account stays is decided here, in the commit that would remove it.
 */
import { and, eq, or, sql } from 'drizzle-orm';
import type { SQL } from 'drizzle-orm';
import type * as z from 'zod';
import type { Database, Statement } from '../../db/database.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import type { Prepare } from '../../db/prepare.ts';
import type { PrincipalContext } from '../context.ts';
import type { RefusalCode } from '../../refusal.ts';
import { guarded } from '../guards.ts';
import type { Sweep } from '../sweep.ts';
import { prepareAnonymousSweep, prepareSettle } from '../user/anonymous.ts';
import { user } from '../user/tables.ts';
import type { VerifiedFactor } from './factor.ts';

/** For a method that is no factor: presenting it again within a session. */
export interface PresentedAgain<Answer = unknown> {
  /** Its member in the body of POST /reauthenticate. */
  readonly name: string;
  readonly answer: z.ZodType<Answer>;
  /** The refusals of `verify` that other factors don't have. */
  readonly problems: readonly RefusalCode[];
  /** It counts attempts by itself. @throws {Refusal} invalid_credentials, invalid_code and others */
  verify(context: PrincipalContext, answer: Answer): Promise<VerifiedFactor>;
}

export interface SignInMethod {
  readonly name: string;
  /** A condition on a row of `user`: whether that user can sign in with it. */
  readonly isUsable: SQL;
  readonly again?: PresentedAgain;
}

export interface SignInMethods {
  add(method: SignInMethod): void;
  /** Those that POST /reauthenticate takes besides the factors. */
  readonly again: readonly PresentedAgain[];
  /** The names of those with which this user can sign in. */
  ofUser(userId: string): Promise<readonly string[]>;
  /**
   * The statement that goes after the removal of one: the commit is refused with
   * `last_sign_in_method` if none is left, so that of the last two, removed at once, one stays.
   */
  demandOne(userId: string): Statement;
  /** The statement after one was added: the account is anonymous no more, if it has one now. */
  settle(userId: string): Statement;
  /** Removes anonymous accounts that are not used, and that nobody can sign in to. */
  readonly anonymousSweep: Sweep;
  /**
   * A condition on a query with `userId`: whether that user has a method besides the named one.
   * Compile it when all features are known.
   */
  anyBeside(name: string): SQL;
}

const isUser = eq(user.id, given('userId'));
const NONE = sql`0`;

const anyOf = (methods: readonly SignInMethod[]): SQL =>
  or(...methods.map(({ isUsable }) => isUsable)) ?? NONE;

export function createSignInMethods({ db }: { readonly db: Database }): SignInMethods {
  const methods: SignInMethod[] = [];
  let demand: Prepare<unknown> | undefined;
  let settle: ((userId: string) => Statement) | undefined;
  let sweep: Sweep | undefined;
  let look: Prepare<Record<string, unknown>> | undefined;
  return {
    add: (method) => void methods.push(method),
    get again() {
      return methods.flatMap(({ again }) => again ?? []);
    },
    ofUser: async (userId) => {
      if (methods.length === 0) return [];
      const columns = methods.map(({ name, isUsable }) => [name, sql<number>`(${isUsable})`]);
      look ??= prepare(query.select(Object.fromEntries(columns)).from(user).where(isUser).limit(1));
      const [row = {}] = await db.read(look({ userId }));
      return methods.flatMap(({ name }) => (row[name] === 1 ? [name] : []));
    },
    demandOne: (userId) => {
      const stay = { epoch: sql`${user.epoch}` };
      demand ??= prepare(
        query
          .update(user)
          .set(stay)
          .where(and(isUser, anyOf(methods))),
      );
      return guarded(demand({ userId }), 'last_sign_in_method');
    },
    settle: (userId) => {
      settle ??= prepareSettle(anyOf(methods));
      return settle(userId);
    },
    anonymousSweep: (values) => {
      sweep ??= prepareAnonymousSweep(anyOf(methods));
      return sweep(values);
    },
    anyBeside: (name) => {
      const others = anyOf(methods.filter((method) => method.name !== name));
      return sql`EXISTS ${query.select({ id: user.id }).from(user).where(and(isUser, others))}`;
    },
  };
}
