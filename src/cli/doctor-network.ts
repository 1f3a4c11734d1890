/** Checks beyond this machine: the service's own answer, the public address, the mail server. */
import { DeliveryError } from '../delivery/transport.ts';
import { askReadiness } from './ask-readiness.ts';
import { fail, ok, warn } from './doctor-finding.ts';
import type { Check, Finding, Patient } from './doctor-finding.ts';
import { mailFolder, mailTransports } from './mail-ways.ts';
import { withKeys } from './state.ts';

const TIMEOUT_MS = 5_000;
const MAX_BYTES = 65_536;
const SKEW_MS = 30_000;

export function networkChecks(patient: Patient): readonly Check[] {
  return [
    { name: 'running', look: () => running(patient) },
    { name: 'public-url', look: () => publicUrl(patient) },
    ...mailChecks(patient),
  ];
}

async function running({ config }: Patient): Promise<Finding> {
  const answer = await askReadiness(config.server.listen);
  if (answer.kind === 'ready') return ok('the service is ready');
  return answer.kind === 'not_ready'
    ? fail(`the service is not ready: ${answer.reasons.join(', ')}.`, 'Its log says more.')
    : warn(
        `the service does not answer (${answer.why}).`,
        'Start it, or ask systemctl status postern.',
      );
}

/**
 * Whether siblings can fetch the keys at the issuer's address, and whether they are this service's
 * keys.
 */
async function publicUrl({ config, call }: Patient): Promise<Finding> {
  const url = `${config.server.public_url}/.well-known/jwks.json`;
  let text: string;
  let date: number;
  try {
    const response = await fetch(url, {
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (response.status !== 200)
      return fail(
        `${url} answers ${response.status}.`,
        'Point server.public_url, or your proxy, at this service.',
      );
    text = (await response.text()).slice(0, MAX_BYTES);
    date = Date.parse(response.headers.get('date') ?? '');
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const why = cause instanceof Error && 'code' in cause ? String(cause.code) : 'no answer';
    return fail(
      `${url} can't be reached from here (${why}).`,
      'Siblings fetch their keys there: check name, certificate and proxy.',
    );
  }
  const skew = Math.abs(date - call.context.clock.now());
  if (skew > SKEW_MS)
    return fail(
      `the clock differs by ${Math.round(skew / 1000)} s from that of ${url}.`,
      'Set it right, and keep it so by NTP.',
    );
  if (config.tokens.algorithm === 'HS256') return ok(`${config.server.public_url} answers`);
  const kid = await activeKid({ call });
  return kid === undefined || text.includes(`"${kid}"`)
    ? ok(`${url} has the key that signs`)
    : fail(
        `${url} does not have this service's key.`,
        'Another service answers there: check server.public_url.',
      );
}

function activeKid({ call }: Pick<Patient, 'call'>): Promise<string | undefined> {
  const quiet = { ...call, output: { ...call.output, warn: () => undefined } };
  return withKeys(quiet, async (keys) => keys.published()[0]?.jwk.kid);
}

function mailChecks({ config, call }: Patient): readonly Check[] {
  if (config.mail.transports.length === 0)
    return [
      {
        name: 'mail',
        look: () =>
          warn(
            `emails are only written into ${mailFolder(config)} and not sent.`,
            'Set mail.transports.',
          ),
      },
    ];
  return mailTransports(config, call.context.clock).map((transport) => ({
    name: `mail-${transport.name}`,
    look: async () => {
      try {
        if (transport.check === undefined) return ok('use postern mail test to check it');
        await transport.check();
        return ok('the mail server accepts emails');
      } catch (error) {
        if (!(error instanceof DeliveryError)) throw error;
        return fail(`${error.message}.`, 'Emails wait in the outbox meanwhile.');
      } finally {
        transport.close();
      }
    },
  }));
}
