/**
 * Every email in Chromium as a mail program shows it: at 360 and 600 px, light and dark. Nothing is
 * cut off, a code stands out before anything else, and words can be told from their background.
 * POSTERN_SCREENSHOTS=DIR leaves pictures to look at.
 */
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TEMPLATES } from '../../src/core/email/templates.ts';
import type { TemplateValues } from '../../src/core/email/templates.ts';
import { renderEmail } from '../../src/delivery/templates.ts';
import { launchChromium } from '../support/browser.ts';
import { isMissing } from '../support/peers.ts';

/** The longest that occur: a link with its token, an address of 254 characters, a long name. */
const VALUES: TemplateValues = {
  code: '7KQM2XWD',
  code_minutes: '10',
  link: `https://accounts.app.example.com/verify-your-address-here#token=${'x7Q'.repeat(20)}`,
  link_minutes: '60',
  token: 'x7Q'.repeat(20),
  new_address: `${'a'.repeat(64)}@${'b'.repeat(63)}.${'c'.repeat(63)}.example.com`,
  failures: '17',
  left: '3',
  address: '2001:0db8:85a3:0000:0000:8a2e:0370:7334',
  factor: 'a passkey “MyVeryLongNamedSecurityKeyOfTheSecondFloor”',
};

/** What a reader sees: the place, size and contrast of each text. */
const LOOK = `(() => {
  const parse = (colour) => (/rgba?\\(([^)]+)\\)/.exec(colour)?.[1] ?? '0,0,0').split(',').map(Number);
  const luminance = ([r, g, b]) =>
    [r, g, b].map((c) => c / 255).map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
      .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
  const backgroundOf = (element) => {
    for (let at = element; at !== null; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if ((parse(colour)[3] ?? 1) > 0) return parse(colour);
    }
    return [255, 255, 255];
  };
  const texts = [...document.body.querySelectorAll('h1, p, a')].filter((one) =>
    [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim() !== ''));
  return {
    overflow: document.documentElement.scrollWidth - innerWidth,
    lang: document.documentElement.lang,
    font: getComputedStyle(texts[0]).fontFamily,
    texts: texts.map((one) => {
      const style = getComputedStyle(one);
      const box = one.getBoundingClientRect();
      const [front, back] = [parse(style.color), backgroundOf(one)].map(luminance);
      return {
        text: one.textContent.trim(), size: parseFloat(style.fontSize), weight: Number(style.fontWeight),
        top: box.top, left: box.left, right: box.right, isBoxed: parseFloat(style.borderTopWidth) > 0 && style.borderLeftStyle === 'solid' && parseFloat(style.borderLeftWidth) > 0,
        contrast: (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05),
      };
    }),
  };
})()`;

interface Look {
  readonly overflow: number;
  readonly lang: string;
  readonly font: string;
  readonly texts: readonly {
    readonly text: string;
    readonly size: number;
    readonly weight: number;
    readonly top: number;
    readonly left: number;
    readonly right: number;
    readonly isBoxed: boolean;
    readonly contrast: number;
  }[];
}

describe.skipIf(isMissing('chromium'))('emails as they are seen', () => {
  let browser: Browser;
  let page: Page;
  beforeAll(async () => {
    browser = await launchChromium();
    page = await browser.newPage();
  });
  afterAll(() => browser?.close());

  const cases = TEMPLATES.flatMap((template) =>
    [360, 600].flatMap((width) =>
      (['light', 'dark'] as const).map((scheme) => [template, width, scheme] as const),
    ),
  );
  test.each(cases)('%s at %i px, %s', async (template, width, scheme) => {
    await page.setViewportSize({ width, height: 800 });
    await page.emulateMedia({ colorScheme: scheme });
    const { html, subject } = renderEmail(template, VALUES, 'Example Shop', () => null);
    await page.setContent(html);
    const folder = process.env['POSTERN_SCREENSHOTS'];
    if (folder !== undefined)
      await page.screenshot({
        path: join(folder, `${template}-${width}-${scheme}.png`),
        fullPage: true,
      });
    const look = await page.evaluate<Look>(LOOK);
    expect([look.overflow, look.lang, await page.title()]).toEqual([0, 'en', subject]);
    expect(look.font).toMatch(/^system-ui/);
    for (const { text, left, right, contrast } of look.texts) {
      expect([text, left >= 12, right <= width - 12]).toEqual([text, true, true]);
      // WCAG 2.2, 1.4.3 (AA), for text of any size.
      expect([text, contrast >= 4.5, contrast]).toEqual([text, true, contrast]);
    }
    const code = look.texts.findIndex(({ text }) => text === VALUES['code']);
    const isCoded = /\bcode\b.*7KQM2XWD/.test(subject);
    expect(code !== -1).toBe(isCoded);
    if (!isCoded) return;
    // One line that says what it is, and then the code, larger and bolder than all else, in a box.
    const shown = look.texts[code];
    expect([code, shown?.isBoxed]).toEqual([1, true]);
    expect(shown?.top).toBeLessThan(120);
    for (const { text, size, weight } of look.texts.filter((_, at) => at !== code))
      expect([text, size < (shown?.size ?? 0) / 1.5, weight < (shown?.weight ?? 0)]).toEqual([
        text,
        true,
        true,
      ]);
  });
});
