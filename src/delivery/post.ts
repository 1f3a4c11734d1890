/** Posts a message to another program over HTTP, once. Redirects are not followed (ASVS 15.3.2). */
import { DeliveryError } from './transport.ts';

export interface Post {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

export const POST_TIMEOUT_MS = 10_000;

/** 4xx statuses that a retry, or the operator, can fix. */
const CURABLE: ReadonlySet<number> = new Set([401, 403, 404, 408, 409, 425, 429]);

/** @throws {DeliveryError} it was not accepted; its message names the host and the status */
export async function postOnce({ url, headers, body, timeoutMs, signal }: Post): Promise<void> {
  const { host } = new URL(url);
  const timeout = AbortSignal.timeout(timeoutMs);
  let status: number;
  try {
    const response = await fetch(url, {
      method: 'POST',
      redirect: 'manual',
      signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
      headers,
      body,
    });
    status = response.status;
    await response.body?.cancel();
  } catch (cause) {
    throw new DeliveryError(
      `${host} could not be reached, or did not answer in ${timeoutMs / 1000} s`,
      'transient',
      { cause },
    );
  }
  if (status >= 200 && status < 300) return;
  // 4xx is permanent, except for "too early", "too many requests" and similar codes.
  const isPermanent = status >= 400 && status < 500 && !CURABLE.has(status);
  throw new DeliveryError(`${host} answered ${status}`, isPermanent ? 'permanent' : 'transient');
}
