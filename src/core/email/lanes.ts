/** The order in which emails are claimed: lanes are served strictly in order. */

/** The lanes of first attempts: resets and notices, then emails of registrations. */
export const LANE = { urgent: 0, patient: 1 } as const;

/** A failed attempt moves an email this many lanes back: behind every first attempt. */
export const DEFERRED = 2;

/** All lanes, in the order in which they are served. */
export const LANES: readonly number[] = [
  LANE.urgent,
  LANE.patient,
  LANE.urgent + DEFERRED,
  LANE.patient + DEFERRED,
];
