/**
 * The environment variables of a worker thread: none of the service's secrets, but the folder for
 * temporary files, from which the single binary loads its addons.
 */
import { tmpdir } from 'node:os';

export const workerEnvironment = (): { TMPDIR: string } => ({ TMPDIR: tmpdir() });
