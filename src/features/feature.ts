/**
 * What a feature is to the house: routes, factors, and work that is due now and then. A feature that is off contributes an empty
 * value: no route, no factor, no OpenAPI path.
 */
import type { App } from '../capabilities.ts';
import type { Factor } from '../core/factor.ts';
import type { AnyRoute } from '../http/route.ts';

export interface Contribution {
  readonly routes: readonly AnyRoute[];
  readonly factors?: readonly Factor[];
}

export interface Feature {
  readonly name: string;
  /** What it adds under this app's configuration. */
  contribute(app: App): Contribution;
}
