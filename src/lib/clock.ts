/**
 * Time as a parameter. Lifetimes use the wall clock in milliseconds (they are stored and must
 * survive a restart); timeouts and waits inside the process use the monotonic clock, which no clock
 * change affects (G11).
 */
export interface Clock {
  /** Wall clock, milliseconds since 1970-01-01T00:00:00Z. */
  now(): number;
  /** Monotonic milliseconds from an arbitrary start. */
  monotonic(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};
