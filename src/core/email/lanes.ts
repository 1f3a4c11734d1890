/** The order in which emails are claimed: lanes are served strictly in order. */

/** The lanes of first attempts: resets and notices, then emails of registrations. */
export const LANE = { urgent: 0, patient: 1 } as const;

/** A failed attempt moves an email this many lanes back: behind every first attempt. */
export const DEFERRED = 2;

/** Text messages have lanes of their own, which another courier serves: neither delays the other. */
export const SMS_LANE = { first: 4, deferred: 5 } as const;

/** What is sent by one courier. */
export type Channel = 'email' | 'sms';

/** All lanes of emails, in the order in which they are served. */
const LANES: readonly number[] = [
  LANE.urgent,
  LANE.patient,
  LANE.urgent + DEFERRED,
  LANE.patient + DEFERRED,
];

/** The lanes of each courier. */
export const LANES_OF: Readonly<Record<Channel, readonly number[]>> = {
  email: LANES,
  sms: [SMS_LANE.first, SMS_LANE.deferred],
};
