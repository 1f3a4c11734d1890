/**
 * The interface of a feature: a folder that gets the kernel and its own settings, and returns
 * routes, a factor, and rows to sweep. A feature that is switched off returns no routes and no
 * factor.
 */
import type { Config } from '../config/schema.ts';
import type { Factor, FactorListing, FactorRecords } from '../core/factor/factor.ts';
import type { SignInMethod } from '../core/factor/sign-in-methods.ts';
import type { Kernel } from '../core/kernel.ts';
import type { Portable } from '../core/user/portable.ts';
import type { SealedColumn } from '../core/sealed-value/reseal.ts';
import type { ScheduledSweep } from '../core/sweep.ts';
import type { AnyRoute } from '../http/route.ts';

export interface FeatureParts {
  /** Called once all factors are known: some routes depend on them. */
  readonly routes?: () => readonly AnyRoute[];
  /** Those under /admin, which may be answered on listeners of their own. */
  readonly adminRoutes?: () => readonly AnyRoute[];
  readonly factor?: Factor;
  /** What a sign-in can begin with; the last one of an account can't be removed. */
  readonly signInMethod?: SignInMethod | readonly SignInMethod[];
  /** The records of a factor that is switched off. */
  readonly switchedOffFactor?: FactorRecords;
  /** What it keeps about a user, if that is no factor: for `user show`, `user export` and their routes. */
  readonly listing?: FactorListing;
  /** What it keeps about a user that an import brings and an export takes along. */
  readonly portable?: Portable;
  /** Starts its work beside the requests, once the service serves. @returns what stops it */
  readonly background?: () => Promise<() => Promise<void>>;
  readonly sweeps?: readonly ScheduledSweep[];
  /** Its columns of sealed values, whether it is switched on or off. */
  readonly sealed?: readonly SealedColumn[];
}

export interface FeatureDefinition<Settings> {
  /** The name of its folder. */
  readonly name: string;
  /** The `typ` of tokens that it signs with the internal key. */
  readonly tokenTypes?: readonly string[];
  /** For a feature with a second factor: whether users could enrol it with these settings. */
  readonly secondFactor?: {
    isUsable(settings: Settings): boolean;
    /** The line of the configuration that would make it usable. */
    readonly remedy: string;
  };
  /** Selects its settings from the configuration, with the names that the code uses. */
  settings(config: Config): Settings;
  create(kernel: Kernel, settings: Settings): FeatureParts;
}

/** The second factor of a feature, before the feature is created. */
export interface OfferedFactor {
  isUsable(config: Config): boolean;
  readonly remedy: string;
}

export interface Feature {
  readonly name: string;
  readonly tokenTypes: readonly string[];
  readonly secondFactor?: OfferedFactor;
  create(kernel: Kernel, config: Config): FeatureParts;
}

/** Makes the value of a feature. */
export function feature<Settings>(definition: FeatureDefinition<Settings>): Feature {
  const { name, tokenTypes = [], settings, secondFactor } = definition;
  const offered: OfferedFactor | undefined = secondFactor && {
    isUsable: (config) => secondFactor.isUsable(settings(config)),
    remedy: secondFactor.remedy,
  };
  return {
    name,
    tokenTypes,
    ...(offered === undefined ? {} : { secondFactor: offered }),
    create: (kernel, config) => definition.create(kernel, definition.settings(config)),
  };
}
