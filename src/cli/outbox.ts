/**
 * `postern outbox list
 * retry`, `postern mail test`: waiting emails, given-up emails, and whether sending works.
 */
import { canonicalEmail } from '../lib/email-address.ts';
import { listOutbox, retryOutbox } from '../core/email/outbox.ts';
import type { OutboxEntry } from '../core/email/outbox.ts';
import { renderEmail } from '../delivery/templates.ts';
import { DeliveryError } from '../delivery/transport.ts';
import { CliRefusal, EXIT } from './exit.ts';
import { loadConfig } from './load-config.ts';
import { mailTransports, ownTemplates } from './mail-ways.ts';
import { withDatabase } from './state.ts';
import { JSON_OPTION } from './verb.ts';
import type { Verb } from './verb.ts';

const rfc3339 = (milliseconds: number): string => new Date(milliseconds).toISOString();

export const outboxList: Verb = {
  name: 'outbox list',
  summary: 'Lists emails that wait or were given up, with the last error; never their content.',
  examples: ['postern outbox list', 'postern outbox list --json'],
  options: [JSON_OPTION],
  run: (call) =>
    withDatabase(call, async (db) => {
      const entries = await listOutbox(db);
      if (call.has('json')) {
        for (const entry of entries) call.output.answerJson(jsonOf(entry));
        return EXIT.done;
      }
      for (const entry of entries) call.output.answer(lineOf(entry));
      call.output.progress(`${entries.length} ${entries.length === 1 ? 'email' : 'emails'}`);
      return EXIT.done;
    }),
};

function jsonOf(entry: OutboxEntry): Record<string, unknown> {
  return {
    id: entry.id,
    letter: entry.template,
    recipient: entry.recipient,
    state: entry.state,
    attempts: entry.attempts,
    next_at: rfc3339(entry.nextAt),
    created_at: rfc3339(entry.createdAt),
    expires_at: rfc3339(entry.expiresAt),
    last_error: entry.lastError,
  };
}

function lineOf(entry: OutboxEntry): string {
  const { id, state, template, recipient, attempts, nextAt, lastError } = entry;
  const next = state === 'pending' ? `, next ${rfc3339(nextAt)}` : '';
  const error = lastError === null ? '' : `  ${lastError}`;
  return `${id}  ${state.padEnd(7)}  ${template.padEnd(24)}  ${recipient.padEnd(32)}  tried ${attempts}${next}${error}`;
}

export const outboxRetry: Verb = {
  name: 'outbox retry',
  summary: 'Sends waiting and given-up emails now, one or all of them.',
  examples: ['postern outbox retry', 'postern outbox retry 01a1fe1f-4f57-71f1-8260-39b2a9e7b97e'],
  arguments: [{ name: '[id]', sentence: 'the id of one email; default: all' }],
  options: [JSON_OPTION],
  run: (call) =>
    withDatabase(call, async (db) => {
      const id = call.arguments[0] ?? '';
      const count = await retryOutbox(db, call.context.clock.now(), id);
      if (id !== '' && count === 0)
        throw new CliRefusal(
          EXIT.failed,
          'no email with this id can still be sent. postern outbox list shows those that can.',
        );
      if (call.has('json')) call.output.answerJson({ count });
      else
        call.output.answer(`${count} ${count === 1 ? 'email is' : 'emails are'} being sent again.`);
      return EXIT.done;
    }),
};

export const mailTest: Verb = {
  name: 'mail test',
  summary: 'Sends a test email by each configured transport and reports each result.',
  examples: [
    'postern mail test --to you@example.com',
    'postern mail test --to you@example.com --config /etc/postern/config.toml',
  ],
  options: [{ flags: '--to <address>', sentence: 'the recipient' }],
  run: async (call) => {
    const to = call.text('to');
    if (to === undefined || canonicalEmail(to) === null)
      throw new CliRefusal(
        EXIT.usage,
        '--to needs one plain address, such as you@example.com\nsee: postern mail test --help',
      );
    const { config } = loadConfig(call);
    const email = {
      id: `test-${call.context.clock.now()}`,
      template: 'test' as const,
      to,
      values: {},
      ...renderEmail('test', {}, config.server.name, ownTemplates(config.mail.templates_dir)),
    };
    let failed = 0;
    for (const transport of mailTransports(config, call.context.clock)) {
      try {
        await transport.send(email);
        call.output.answer(`ok    ${transport.name}`);
      } catch (error) {
        if (!(error instanceof DeliveryError)) throw error;
        failed++;
        call.output.answer(`fail  ${transport.name}  ${error.message}`);
      } finally {
        transport.close();
      }
    }
    return failed === 0 ? EXIT.done : EXIT.failed;
  },
};
