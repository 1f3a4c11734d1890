/** `postern rekey --key-encryption-key`: re-seals every stored secret with the configured key. */
import { resealAll } from '../core/sealed-value/reseal.ts';
import { CliRefusal, EXIT } from './exit.ts';
import type { ExitCode } from './exit.ts';
import { createProgress } from './progress.ts';
import type { VerbCall } from './verb.ts';
import { withApp } from './with-app.ts';

/**
 * Runs beside the service, which must already know both keys.
 *
 * @throws {CliRefusal} some values are sealed with a key that is not configured
 */
export function reseal(call: VerbCall): Promise<ExitCode> {
  return withApp(call, async (kernel, { sealed }) => {
    const progress = createProgress(call, 'sealing');
    const { total, resealed, unopened } = await resealAll(kernel, sealed, (done) =>
      progress(done, Math.max(done, 1)),
    );
    progress.end();
    call.output.answer(
      `${resealed} of ${total} sealed values were re-sealed with the new key; ${total - resealed - unopened} already had it.`,
    );
    if (unopened > 0)
      throw new CliRefusal(
        EXIT.failed,
        `${unopened} values were sealed with a key that is not configured, and are unchanged. Add it to secrets.previous_key_encryption_keys and run this again.`,
      );
    call.output.progress(
      'When every instance runs with the new key and this command finds nothing more, remove the former key from secrets.previous_key_encryption_keys. Keep it for backups made before.',
    );
    return EXIT.done;
  });
}
