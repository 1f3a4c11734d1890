/**
 * The code of a text message that is bound to the page's domain, by the browser's own API.
 *
 * @see https://wicg.github.io/web-otp/
 */
import { host } from './host.ts';

export async function receiveCode(signal?: AbortSignal): Promise<string | null> {
  const { credentials } = host.navigator ?? {};
  if (host.OTPCredential === undefined || credentials === undefined) return null;
  try {
    const options = { otp: { transport: ['sms'] }, ...(signal === undefined ? {} : { signal }) };
    const received = (await credentials.get(options)) as { readonly code?: unknown } | null;
    return typeof received?.code === 'string' ? received.code : null;
  } catch {
    // Aborted, declined, or no telephone near: the user types the code.
    return null;
  }
}
