/** The words of emails: how long they hold, what to do, and the forms of an operator's own text. */
import { describe, expect, test } from 'vitest';
import { TEMPLATES } from '../../src/core/email/templates.ts';
import { renderEmail } from '../../src/delivery/templates.ts';
import type { OwnTemplate } from '../../src/delivery/templates.ts';

const VALUES = {
  code: '7KQM2X',
  code_minutes: '10',
  link: 'https://app.example.com/page#token=abc',
  link_minutes: '90',
  token: 'abc',
};
const builtIn = (template: (typeof TEMPLATES)[number]) =>
  renderEmail(template, VALUES, 'Shop', () => null);

describe('the built-in texts', () => {
  test.each(TEMPLATES.filter((name) => name !== 'test'))(
    '%s says in both forms what to do if it was not the reader, and nothing is left open',
    (template) => {
      const { text, html } = builtIn(template);
      for (const form of [text, html]) {
        expect(form).toMatch(/If (?:this was not you|you are not)/);
        expect(form).not.toMatch(/\{\{|undefined/);
      }
    },
  );

  test.each(['verify_registration', 'verify_address', 'sign_in_code'] as const)(
    '%s: the code has the second line for itself, and how long it is valid follows',
    (template) => {
      const [label, , code, , rest] = builtIn(template).text.split('\n');
      expect([label, code]).toEqual([expect.stringMatching(/^Your code .*Shop:$/), '7KQM2X']);
      expect(rest).toContain('It is valid for 10 minutes.');
    },
  );

  test.each(['verify_registration', 'reset_password'] as const)(
    '%s says how long its link is valid; the link has a line for itself',
    (template) => {
      const { text } = builtIn(template);
      expect(text).toContain('valid for 90 minutes');
      expect(text.split('\n')).toContain(VALUES.link);
    },
  );
});

describe('an operator’s own text', () => {
  const own: OwnTemplate = {
    text: 'Passwort für {{service}}\n\n# Neues Passwort\n\nGültig: {{link_valid_for}}, {{code_valid_for}}.\n\n[Öffnen]({{link}})\n\n{{link}}\n\n{{code}}\n\n> Warst du es nicht?\n',
    html: null,
  };
  const render = (minutes: string) =>
    renderEmail(
      'reset_password',
      { ...VALUES, locale: 'de-CH', link_minutes: minutes },
      'A&B',
      (_, locale) => (locale === 'de' ? own : null),
    );

  test('has the forms of ours, and times in the words of its language', () => {
    const { subject, text, html } = render('60');
    expect([subject, text]).toEqual([
      'Passwort für A&B',
      `Neues Passwort\n\nGültig: 1 Stunde, 10 Minuten.\n\nÖffnen:\n${VALUES.link}\n\n${VALUES.link}\n\n7KQM2X\n\nWarst du es nicht?\n`,
    ]);
    expect(html).toMatch(/<html lang="de"[\s\S]*<title>Passwort für A&#38;B<\/title>/);
    expect(html).toMatch(/<h1[^>]*>Neues Passwort<\/h1>/);
    expect(html).toMatch(/<a class="button" href="https:\/\/app[^"]*"[^>]*>Öffnen<\/a>/);
    expect(html).toMatch(/<p class="code"[^>]*>7KQM2X<\/p>/);
    expect(html).toMatch(/<p class="quiet"[^>]*>Warst du es nicht\?<\/p>/);
    expect(render('1440').text).toContain('24 Stunden');
  });

  test('a folder that is named after no language is taken as English', () => {
    const { html } = renderEmail('test', { locale: 'x_y' }, 'Shop', () => own);
    expect(html).toContain('<html lang="en"');
  });
});
