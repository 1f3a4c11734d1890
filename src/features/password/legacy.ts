/**
 * The system that had the users before: asked once for a name that has no password here yet. A match
 * creates the account or gives it its password, so that the next sign-in needs it no more. Nothing is
 * asked for an account that somebody can sign in to.
 */
import * as z from 'zod';
import { signBody } from '../../crypto/body-signature.ts';
import type { Clock } from '../../lib/clock.ts';
import { exceptionFields } from '../../lib/log.ts';
import type { Log } from '../../lib/log.ts';
import { Refusal } from '../../refusal.ts';

export interface LegacySettings {
  readonly url: string;
  /** Signs each question, as emails to a webhook are signed. */
  readonly secret: string;
  /** Nothing is asked from then on, wall-clock milliseconds. */
  readonly endsAt: number;
}

/** What the other system says of a user whose password was right. */
const Answer = z.object({
  username: z.string().max(256).optional(),
  email: z.string().max(320).optional(),
  email_verified: z.boolean().optional(),
  display_name: z.string().min(1).max(128).optional(),
  external_id: z.string().min(1).max(255).optional(),
});

export type LegacyUser = z.output<typeof Answer>;

export interface Legacy {
  /** Whether it may still be asked. */
  readonly isOn: boolean;
  /**
   * The user with this name and password; null for a wrong pair.
   *
   * @throws {Refusal} provider_unavailable: it did not answer, or not as agreed; overloaded
   */
  ask(username: string, password: string): Promise<LegacyUser | null>;
}

const TIMEOUT_MS = 2_000;
const MAX_ANSWER_BYTES = 16_384;
/** Further sign-ins are refused meanwhile, so that a flood here is none there. */
const MAX_ASKING = 16;
const RETRY_SECONDS = 5;

const NO_MATCH: ReadonlySet<number> = new Set([401, 403, 404]);

export function unavailable(cause: unknown): Refusal {
  return new Refusal('provider_unavailable', {
    detail: 'The system that knows this password does not answer. Try again later.',
    retryAfterSeconds: RETRY_SECONDS,
    cause,
  });
}

async function readAnswer(response: Response): Promise<LegacyUser> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) throw new Error('it answered too much');
    chunks.push(chunk);
  }
  return Answer.parse(JSON.parse(Buffer.concat(chunks).toString('utf8')));
}

export function createLegacy(
  { url, secret, endsAt }: LegacySettings,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Legacy {
  let asking = 0;

  const post = async (username: string, password: string): Promise<LegacyUser | null> => {
    const body = JSON.stringify({ username, password });
    const response = await fetch(url, {
      method: 'POST',
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: {
        'content-type': 'application/json',
        accept: 'application/json',
        'user-agent': 'postern',
        'postern-signature': signBody(secret, body, clock.now()),
      },
      body,
    });
    if (response.status === 200) return readAnswer(response);
    await response.body?.cancel();
    if (NO_MATCH.has(response.status)) return null;
    throw new Error(`it answered ${response.status}`);
  };

  return {
    get isOn() {
      return clock.now() < endsAt;
    },
    ask: async (username, password) => {
      // It compares nothing, so the attempt is not counted.
      if (asking >= MAX_ASKING) throw new Refusal('overloaded', { retryAfterSeconds: 1 });
      asking += 1;
      try {
        return await post(username, password);
      } catch (error) {
        const message = 'password.legacy_url could not be asked: the sign-in was refused with 503';
        log.write('error', 'legacy.unavailable', message, exceptionFields(error));
        throw unavailable(error);
      } finally {
        asking -= 1;
      }
    },
  };
}
