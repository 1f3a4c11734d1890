/**
 * The default configuration's cost of a password hash: 19 MiB, two passes, one lane; as
 * @node-rs/argon2 spells it.
 */
export const COST = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };
