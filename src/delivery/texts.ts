/**
 * The built-in texts of emails, in English: the code first, how long it is valid, what happened,
 * and what to do if the reader did not cause it. They have the format of an operator's own texts
 * (docs/emails.md).
 */
import type { TemplateName } from '../core/email/templates.ts';

export interface EmailText {
  readonly subject: string;
  readonly lines: readonly string[];
}

const ACT =
  '> If this was not you, reset your password now and contact the operators of {{service}}.';
const NEVER_TELL = 'Nobody from {{service}} will ever ask you for this code: give it to no one.';

export const TEXTS: Readonly<Record<TemplateName, EmailText>> = {
  verify_registration: {
    subject: 'Your code for {{service}}: {{code}}',
    lines: [
      'Your code for {{service}}:',
      '{{code}}',
      'Enter it where you are creating your account. It is valid for {{code_valid_for}}.',
      'Or open this link, valid for {{link_valid_for}}, and enter the password that you chose:',
      '[Create the account]({{link}})',
      `> If you are not creating an account at {{service}}, ignore this email: no account is created without the code or the link. ${NEVER_TELL}`,
    ],
  },
  verify_registration_code: {
    subject: 'Your code for {{service}}: {{code}}',
    lines: [
      'Your code for {{service}}:',
      '{{code}}',
      'Enter it where you are creating your account. It is valid for {{code_valid_for}}.',
      `> If you are not creating an account at {{service}}, ignore this email: no account is created without the code. ${NEVER_TELL}`,
    ],
  },
  account_exists: {
    subject: 'You already have an account at {{service}}',
    lines: [
      '# You already have an account',
      'Someone, probably you, entered this email address at {{service}}, to create an account or to add the address to one. You already have an account with it: sign in, or choose “forgot password” where you sign in.',
      '> If this was not you, there is nothing to do: nothing was changed, and nobody was told that you have an account.',
    ],
  },
  verify_address: {
    subject: 'Your code for {{service}}: {{code}}',
    lines: [
      'Your code for {{service}}:',
      '{{code}}',
      'Enter it where you are signed in, to verify that this email address is yours. It is valid for {{code_valid_for}}.',
      `> If this was not you, ignore this email: the address is not added without the code. ${NEVER_TELL}`,
    ],
  },
  invitation: {
    subject: 'Your account at {{service}}',
    lines: [
      '# You have an account',
      'Those who run {{service}} made an account for this email address. Open this link to choose its password. It is valid for {{link_valid_for}} and can be used once.',
      '[Choose a password]({{link}})',
      'If the link does not open, copy this code to where you are asked for it:',
      '{{token}}',
      '> If you are not the one whom this is for, ignore this email: nobody can sign in to the account without it. Do not pass the link or the code on.',
    ],
  },
  reset_password: {
    subject: 'Reset your password at {{service}}',
    lines: [
      '# Reset your password',
      'Someone, probably you, asked to reset the password of your account at {{service}}. Open this link to choose a new one. It is valid for {{link_valid_for}} and can be used once.',
      '[Choose a new password]({{link}})',
      'If the link does not open, copy this code to where you are asked for it:',
      '{{token}}',
      '> If this was not you, ignore this email: your password stays as it is. Do not pass the link or the code on.',
    ],
  },
  password_changed: {
    subject: 'Your password at {{service}} was changed',
    lines: [
      '# Your password was changed',
      'The password of your account at {{service}} was changed, and your other devices were signed out.',
      ACT,
    ],
  },
  address_change_requested: {
    subject: 'A new email address for your account at {{service}}',
    lines: [
      '# A new email address was requested',
      'Someone, probably you, asked to change the email address of your account at {{service}} to {{new_address}}. Until the new address is verified, this one stays in use.',
      ACT,
    ],
  },
  address_changed: {
    subject: 'Your email address at {{service}} was changed',
    lines: [
      '# Your email address was changed',
      'Your account at {{service}} now has another email address. This address will receive no further emails.',
      '> If this was not you, contact the operators of {{service}} now: a password reset would go to the new address.',
    ],
  },
  unusual_sign_in: {
    subject: 'A sign-in to {{service}} after many failed attempts',
    lines: [
      '# A sign-in after many failed attempts',
      'Someone, probably you, entered the right password for your account at {{service}} after {{failures}} wrong ones, from the network address {{address}}.',
      ACT,
    ],
  },
  factor_added: {
    subject: 'A sign-in method was added at {{service}}',
    lines: [
      '# A sign-in method was added',
      'This was added to your account at {{service}}: {{factor}}. Your other devices were signed out.',
      ACT,
    ],
  },
  factor_removed: {
    subject: 'A sign-in method was removed at {{service}}',
    lines: [
      '# A sign-in method was removed',
      'This was removed from your account at {{service}}: {{factor}}. Your other devices were signed out.',
      ACT,
    ],
  },
  recovery_codes_renewed: {
    subject: 'New recovery codes for {{service}}',
    lines: [
      '# You have new recovery codes',
      'Your account at {{service}} has new recovery codes. The old ones no longer work, and your other devices were signed out.',
      ACT,
    ],
  },
  recovery_code_used: {
    subject: 'A recovery code was used at {{service}}',
    lines: [
      '# A recovery code was used',
      'Someone, probably you, used a recovery code of your account at {{service}}, from the network address {{address}}. Codes left: {{left}}. Generate new ones before they run out.',
      ACT,
    ],
  },
  second_factor_failed: {
    subject: 'Someone knows your password for {{service}}',
    lines: [
      '# Someone knows your password',
      'Someone entered the right password for your account at {{service}}, and then {{failures}} wrong codes or passkeys in a row, from the network address {{address}}. They were not signed in.',
      '> If this was not you, change your password now: someone else knows it.',
    ],
  },
  passkey_suspect: {
    subject: 'One of your passkeys at {{service}} may have been copied',
    lines: [
      '# A passkey may have been copied',
      'The passkey {{factor}} of your account at {{service}} repeated an earlier counter value, from the network address {{address}}, so there may be a copy of it. The sign-in was refused. Remove this passkey and add a new one.',
      ACT,
    ],
  },
  sign_in_code: {
    subject: 'Your code for {{service}}: {{code}}',
    lines: [
      'Your code to sign in to {{service}}:',
      '{{code}}',
      'It is valid for {{code_valid_for}}.',
      `> If you are not signing in, ignore this email: nobody can sign in without the code. ${NEVER_TELL}`,
    ],
  },
  sign_in_link: {
    subject: 'Your code for {{service}}: {{code}}',
    lines: [
      'Your code to sign in to {{service}}:',
      '{{code}}',
      'Or open this link on the device where you are signing in. Both are valid for {{code_valid_for}}, and one of them can be used once.',
      '[Sign in]({{link}})',
      `> If you are not signing in, ignore this email: nobody can sign in without the code or the link. Do not pass them on. ${NEVER_TELL}`,
    ],
  },
  test: {
    subject: 'A test email from {{service}}',
    lines: ['# It works', 'If you can read this, {{service}} can send emails.'],
  },
};
