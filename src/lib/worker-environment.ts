/** What worker threads are started with. */
import { tmpdir } from 'node:os';

/**
 * The environment variables of a worker thread: none of the service's secrets, but the folder for
 * temporary files, from which the single binary loads its addons.
 */
export const workerEnvironment = (): { TMPDIR: string } => ({ TMPDIR: tmpdir() });
