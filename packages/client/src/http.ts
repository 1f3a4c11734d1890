/** One request: what is sent again, and what an error carries. */
import type { Problem } from './api.ts';

export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

/** The service refused. Switch on `code`; `detail` is for people. */
export class PosternError extends Error {
  override readonly name = 'PosternError';
  readonly code: string;
  readonly status: number;
  /** Seconds. */
  readonly retryAfter: number | undefined;
  readonly problem: Partial<Problem>;

  constructor(response: Response, problem: Partial<Problem>) {
    super(problem.detail ?? `the service answered ${response.status}`);
    this.code = problem.code ?? 'unknown';
    this.status = response.status;
    this.retryAfter = retryAfterOf(response);
    this.problem = problem;
  }
}

export interface Patience {
  /** How often a request is sent again, at most. */
  readonly retries: number;
  /** The longest that a Retry-After is waited for, seconds; a longer one is an error at once. */
  readonly maxRetryAfter: number;
  /** Milliseconds. */
  readonly wait: (milliseconds: number) => Promise<void>;
}

function retryAfterOf({ headers }: Response): number | undefined {
  const seconds = Number(headers.get('retry-after') ?? Number.NaN);
  return Number.isFinite(seconds) ? seconds : undefined;
}

/** How long to wait before it is sent again, milliseconds; undefined when it is not. */
function pause(response: Response, { maxRetryAfter }: Patience): number | undefined {
  if (response.status !== 429 && response.status !== 503) return undefined;
  const seconds = retryAfterOf(response);
  return seconds === undefined || seconds > maxRetryAfter ? undefined : seconds * 1000;
}

/**
 * Sends a request. One that was refused with a short Retry-After goes out again, for nothing was
 * done; one whose answer was lost, if `isSafe` says that it may be done twice.
 */
export async function send(
  attempt: () => Promise<Response>,
  patience: Patience,
  isSafe: { readonly again: boolean },
): Promise<Response> {
  for (let tries = 0; ; tries++) {
    const isLast = tries >= patience.retries;
    let waitMs: number | undefined;
    try {
      const response = await attempt();
      waitMs = pause(response, patience);
      if (waitMs === undefined || isLast) return response;
    } catch (error) {
      if (isLast || !isSafe.again) throw error;
      waitMs = 250 * 2 ** tries;
    }
    await patience.wait(waitMs);
  }
}

/** The body of an answer. @throws {PosternError} */
export async function answerOf(response: Response): Promise<unknown> {
  const text = await response.text();
  let body: unknown;
  try {
    body = text === '' ? undefined : JSON.parse(text);
  } catch {
    body = undefined;
  }
  if (response.ok) return body;
  throw new PosternError(response, typeof body === 'object' && body !== null ? body : {});
}
