/** In which order emails are taken: lanes are served one before the other. */

/** The lanes of first tries: resets and notices, then what a registration asks for. */
export const LANE = { urgent: 0, patient: 1 } as const;

/** A failed try moves an email this many lanes back: behind every first try. */
export const DEFERRED = 2;

/** All lanes, in the order in which they are served. */
export const LANES: readonly number[] = [
  LANE.urgent,
  LANE.patient,
  LANE.urgent + DEFERRED,
  LANE.patient + DEFERRED,
];
