/** Registering an account: with a username, or with an email address alone. */
import { feature } from '../feature.ts';
import { registrationRoutes } from './routes.ts';
import { sealedRegistrations } from './store.ts';
import type { RegistrationSettings } from './settings.ts';

interface Settings extends RegistrationSettings {
  readonly anonymousTtlMs: number;
}

export const registration = feature({
  name: 'registration',
  settings: ({ registration: section, cookies, mail, server }): Settings => ({
    anonymousTtlMs: section.anonymous_ttl,
    maxAnonymous: section.anonymous ? section.max_anonymous : null,
    enabled: section.enabled,
    hasUsernames: section.usernames,
    maxPending: section.max_pending,
    cookies,
    verifyUrl: mail.verify_url ?? `${server.public_url}/verify-address`,
    linkTtlMs: mail.link_ttl,
  }),
  create: (kernel, settings) => ({
    routes: () => registrationRoutes(kernel, settings),
    sealed: [sealedRegistrations],
    sweeps: [{ sweep: kernel.signInMethods.anonymousSweep, keptMs: settings.anonymousTtlMs }],
  }),
});
