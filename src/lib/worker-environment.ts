/** The environment of worker threads. */
import { tmpdir } from 'node:os';

/**
 * The environment variables of a worker thread: no secrets of the service, but the folder for
 * temporary files, from which the single binary loads its addons.
 */
export const workerEnvironment = (): { TMPDIR: string } => ({ TMPDIR: tmpdir() });
