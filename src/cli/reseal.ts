/** `postern rekey --key-encryption-key`: every stored secret under the key that is configured. */
import { resealAll } from '../core/sealed-value/reseal.ts';
import { CliRefusal, EXIT } from './exit.ts';
import type { ExitCode } from './exit.ts';
import { createProgress } from './progress.ts';
import type { VerbCall } from './verb.ts';
import { withApp } from './with-app.ts';

/**
 * Runs beside the service, which must know both keys by then.
 *
 * @throws {CliRefusal} values of a key that is not configured are left
 */
export function reseal(call: VerbCall): Promise<ExitCode> {
  return withApp(call, async (kernel, { sealed }) => {
    const progress = createProgress(call, 'sealing');
    const { total, resealed, unopened } = await resealAll(kernel, sealed, (done) =>
      progress(done, Math.max(done, 1)),
    );
    progress.end();
    call.output.answer(
      `${resealed} of ${total} sealed values have the new key now; ${total - resealed - unopened} had it.`,
    );
    if (unopened > 0)
      throw new CliRefusal(
        EXIT.failed,
        `${unopened} values were sealed with a key that is not configured, and are as they were. Add it to secrets.previous_key_encryption_keys and run this again.`,
      );
    call.output.progress(
      'When every instance runs with the new key and this finds nothing more, remove the former one from secrets.previous_key_encryption_keys. Backups made before need it.',
    );
    return EXIT.done;
  });
}
