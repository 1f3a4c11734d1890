/** What is done to a user under /admin/users/{id}, and the lists that belong to one. */
import * as z from 'zod';
import type { Kernel } from '../../core/kernel.ts';
import { apiKey, route } from '../../http/route.ts';
import type { AnyRoute } from '../../http/route.ts';
import { cancelEmail } from './cancel-email.ts';
import { demandUser } from './change-user.ts';
import { endSession } from './end-session.ts';
import {
  SessionOfUserReply,
  WaitingEmailReply,
  sessionOfUserReply,
  waitingEmailReply,
} from './replies.ts';
import { startReset } from './reset-link.ts';
import type { AdminSettings } from './settings.ts';
import { waitingEmails } from './show-user.ts';

export const security = apiKey('admin');
export const tag = 'Administration';
export const USER = '/admin/users/{id}';

export function actRoutes(kernel: Kernel, settings: AdminSettings): readonly AnyRoute[] {
  const { accountState, factors } = kernel;
  const reset = startReset(kernel, settings);
  return [
    route({
      method: 'post',
      path: `${USER}/unlock`,
      tag,
      summary: 'Forget the failed attempts of a user',
      security,
      status: 204,
      problems: ['not_found'],
      handle: async (call) => {
        const { id } = await demandUser(kernel, call.params['id'] ?? '');
        await accountState.unlock(kernel.context(call), id);
      },
    }),
    route({
      method: 'post',
      path: `${USER}/logout`,
      tag,
      summary: 'End every session of a user',
      description: 'Links, codes and half-done sign-ins are void, too.',
      security,
      status: 200,
      reply: z.object({ sessions_ended: z.number().int() }),
      problems: ['not_found'],
      handle: async (call) => {
        const { id } = await demandUser(kernel, call.params['id'] ?? '');
        return { sessions_ended: await accountState.signOut(kernel.context(call), id) };
      },
    }),
    route({
      method: 'post',
      path: `${USER}/password-reset`,
      limit: 'reset',
      tag,
      summary: 'Send a user a link that sets a password',
      description:
        'To the verified address, or the invitation once more; it is in no answer. limits.reset bounds what a key that got lost can send.',
      security,
      status: 202,
      reply: z.object({ sent: z.enum(['reset', 'invitation']), to: z.string() }),
      problems: ['not_found', 'account_disabled', 'no_verified_address', 'conflict'],
      handle: async (call) => {
        const user = await demandUser(kernel, call.params['id'] ?? '');
        const started = await reset(kernel.context(call), user, 'refuse');
        if (started.kind === 'printed') throw new Error('a link for a terminal');
        const sent = started.kind === 'invited' ? ('invitation' as const) : ('reset' as const);
        return { sent, to: started.to };
      },
    }),
    route({
      method: 'delete',
      path: `${USER}/factors`,
      tag,
      summary: 'Remove every second factor of a user',
      description: 'Verify who is asking: the password alone signs in then. Every session ends.',
      security,
      status: 204,
      problems: ['not_found'],
      handle: async (call) => {
        const user = await demandUser(kernel, call.params['id'] ?? '');
        await factors.removeAll(kernel.context(call), user);
      },
    }),
  ];
}

export function listRoutes(kernel: Kernel): readonly AnyRoute[] {
  const end = endSession(kernel);
  const cancel = cancelEmail(kernel);
  return [
    route({
      method: 'get',
      path: `${USER}/sessions`,
      tag,
      summary: 'List the sessions of a user',
      security,
      status: 200,
      reply: z.object({ sessions: z.array(SessionOfUserReply) }),
      problems: ['not_found'],
      handle: async (call) => {
        const { id } = await demandUser(kernel, call.params['id'] ?? '');
        return { sessions: (await kernel.sessions.list(id)).map(sessionOfUserReply) };
      },
    }),
    route({
      method: 'delete',
      path: `${USER}/sessions/{session_id}`,
      tag,
      summary: 'End one session of a user',
      description: "404 for another user's, and for one that has ended.",
      security,
      status: 204,
      problems: ['not_found'],
      handle: (call) =>
        end(kernel.context(call), {
          userId: call.params['id'] ?? '',
          sessionId: call.params['session_id'] ?? '',
        }),
    }),
    route({
      method: 'get',
      path: `${USER}/emails`,
      tag,
      summary: 'List the emails that wait for a user',
      description: 'Those that wait, and those that were given up; never their content.',
      security,
      status: 200,
      reply: z.object({ emails: z.array(WaitingEmailReply) }),
      problems: ['not_found'],
      handle: async (call) => {
        const user = await demandUser(kernel, call.params['id'] ?? '');
        return { emails: (await waitingEmails(kernel, user)).map(waitingEmailReply) };
      },
    }),
    route({
      method: 'delete',
      path: `${USER}/emails/{email_id}`,
      tag,
      summary: 'Take an email back that waits for a user',
      description: 'Its link or code stays good. One that is being sent may still arrive.',
      security,
      status: 204,
      problems: ['not_found'],
      handle: (call) =>
        cancel(kernel.context(call), {
          userId: call.params['id'] ?? '',
          emailId: call.params['email_id'] ?? '',
        }),
    }),
  ];
}
