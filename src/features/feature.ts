/**
 * What a feature is to the house: factors and routes. A feature that is off contributes an empty
 * value: no route, no factor, no OpenAPI path.
 */
import type { App, FeatureFactor } from '../app/capabilities.ts';
import type { AnyRoute } from '../http/route.ts';

export interface Contribution {
  readonly routes: readonly AnyRoute[];
}

export interface Feature {
  readonly name: string;
  /** How users show who they are by it; asked of all features before any of their routes. */
  factors?(app: App): readonly FeatureFactor[];
  /** What it adds under this app's configuration. */
  contribute(app: App): Contribution;
}
