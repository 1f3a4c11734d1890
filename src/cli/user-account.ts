/** `postern user delete|reset-link|set-email`: the end of an account, and the ways back in. */
import { deleteUser } from '../features/admin/delete-user.ts';
import { startReset } from '../features/admin/reset-link.ts';
import { setEmail } from '../features/admin/set-email.ts';
import { NAME, YES, nameOf, withUser } from './on-user.ts';
import type { Verb } from './verb.ts';

export const userDelete: Verb = {
  name: 'user delete',
  summary: [
    'Deletes an account with everything that belongs to it: sessions, factors, links, waiting',
    'emails. It can not be undone.',
  ].join(' '),
  examples: [
    'postern user delete ada',
    'postern user delete 01a1fe1f-4f57-71f1-8260-39b2a9e7b97e --yes',
  ],
  arguments: [NAME],
  options: [YES],
  run: (call) =>
    withUser(call, 'Delete', async ({ kernel, context }, user) => {
      await deleteUser(kernel)(context, user);
      call.output.answer(`${user.id} is deleted.`);
    }),
};

export const userResetLink: Verb = {
  name: 'user reset-link',
  summary: [
    'Has the user of an account set a new password: a link goes to the verified address;',
    'without one it is printed, this once and alone, for you to hand over.',
  ].join(' '),
  examples: ['postern user reset-link ada', 'postern user reset-link ada --yes | qrencode -t utf8'],
  arguments: [NAME],
  options: [YES],
  run: (call) =>
    withUser(call, 'Start a password reset of', async ({ kernel, settings, context }, user) => {
      const started = await startReset(kernel, settings)(context, user, 'print');
      if (started.kind === 'printed') {
        call.output.answer(started.link);
        const end = new Date(started.expiresAt).toISOString();
        call.output.progress(`Valid once, until ${end}. Whoever has it can take the account.`);
        return;
      }
      const what = started.kind === 'invited' ? 'The invitation' : 'A link';
      call.output.progress(`${what} goes to ${started.to}; the service sends it.`);
    }),
};

export const userSetEmail: Verb = {
  name: 'user set-email',
  summary: [
    'Sets the email address of an account: it is pending, a code goes there, and the former',
    'one is told. With --verified it counts at once, on your word, and every session ends.',
  ].join(' '),
  examples: [
    'postern user set-email ada ada@example.com',
    'postern user set-email ada ada@example.com --verified --yes',
  ],
  arguments: [NAME, { name: '<address>', sentence: 'the new email address' }],
  options: [
    { flags: '--verified', sentence: 'you know that the address is theirs; resets go there then' },
    YES,
  ],
  run: (call) =>
    withUser(call, 'Change the email address of', async ({ kernel, settings, context }, user) => {
      const email = call.arguments[1] ?? '';
      const proof = call.has('verified') ? 'vouched' : 'pending';
      await setEmail(kernel, settings)(context, { user, email, proof });
      const state = proof === 'vouched' ? 'is' : 'will be, once it is verified,';
      call.output.answer(`The address of ${nameOf(user) || user.id} ${state} ${email}.`);
    }),
};
