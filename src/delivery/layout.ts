/**
 * Renders an email's lines as plain text and as HTML that mail programs display alike: one column,
 * system fonts, inline styles (some programs remove style sheets) and a style sheet only for dark
 * mode.
 */

/** Encodes the placeholders of a template. */
export type Fill = (template: string) => string;

/** One paragraph of a template; docs/emails.md has the four forms. */
type Block =
  | { readonly kind: 'heading' | 'paragraph' | 'note' | 'code'; readonly text: string }
  | { readonly kind: 'link'; readonly text: string; readonly href: string };

const LINK = '{{link}}';
const LABELLED_LINK = /^\[([^\]]+)\]\(\{\{link\}\}\)$/;

function blockOf(line: string): Block {
  if (line === '{{code}}' || line === '{{token}}') return { kind: 'code', text: line };
  if (line === LINK) return { kind: 'link', text: LINK, href: LINK };
  const label = LABELLED_LINK.exec(line)?.[1];
  if (label !== undefined) return { kind: 'link', text: label, href: LINK };
  if (line.startsWith('# ')) return { kind: 'heading', text: line.slice(2) };
  if (line.startsWith('> ')) return { kind: 'note', text: line.slice(2) };
  return { kind: 'paragraph', text: line };
}

/** Plain text: a code or link is on a line of its own, so that a double click or tap selects it. */
export function plainText(lines: readonly string[], fill: Fill): string {
  const paragraphs = lines.map(blockOf).map((block) => {
    if (block.kind !== 'link' || block.text === block.href) return fill(block.text);
    return `${fill(block.text)}:\n${fill(block.href)}`;
  });
  return `${paragraphs.join('\n\n')}\n`;
}

const FONT =
  "font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif";
const MONO = "font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'Liberation Mono',monospace";
/** A link of any length wraps within the column. */
const BREAK = 'overflow-wrap:anywhere;word-break:break-word';

/** Mail programs without dark mode use the inline colours. */
const DARK = `@media (prefers-color-scheme: dark) {
  .page { background: #16181d !important; }
  .card { background: #20232a !important; border-color: #3a3f4a !important; }
  .words { color: #e8eaee !important; }
  .quiet { color: #a9b0bd !important; }
  .code { background: #2b2f38 !important; color: #ffffff !important; border-color: #4a5160 !important; }
  .button { background: #8ab4ff !important; color: #10131a !important; }
  .link { color: #8ab4ff !important; }
}`;

function htmlBlock(block: Block, fill: Fill): string {
  const text = fill(block.text);
  switch (block.kind) {
    case 'heading':
      return `<h1 class="words" style="margin:0 0 16px;${FONT};font-size:20px;line-height:28px;font-weight:600;color:#1a1d23;${BREAK}">${text}</h1>`;
    case 'code':
      return htmlCode(text, block.text === '{{code}}');
    case 'link':
      return htmlLink(fill(block.href), block.text === block.href ? undefined : text);
    case 'note':
      return `<p class="quiet" style="margin:24px 0 0;padding-top:16px;border-top:1px solid #8a909c55;${FONT};font-size:14px;line-height:21px;color:#5a6170;${BREAK}">${text}</p>`;
    case 'paragraph':
      return `<p class="words" style="margin:0 0 16px;${FONT};font-size:16px;line-height:24px;color:#1a1d23;${BREAK}">${text}</p>`;
  }
}

/** A code to type is large; a code that can only be copied is small and wraps anywhere. */
function htmlCode(text: string, isTyped: boolean): string {
  const size = isTyped
    ? 'font-size:32px;line-height:40px;font-weight:700;letter-spacing:4px;text-align:center'
    : `font-size:14px;line-height:21px;${BREAK}`;
  return `<p class="code" style="margin:0 0 16px;padding:12px 16px;border:1px solid #d5d9e0;border-radius:8px;background:#f3f5f8;color:#1a1d23;${MONO};${size}">${text}</p>`;
}

function htmlLink(href: string, label: string | undefined): string {
  const shown = `<a class="link" href="${href}" style="color:#1a56c4;${BREAK}">${href}</a>`;
  const small = `<p class="quiet" style="margin:0 0 16px;${FONT};font-size:13px;line-height:20px;color:#5a6170;${BREAK}">${shown}</p>`;
  if (label === undefined) return small;
  const button = `<a class="button" href="${href}" style="display:inline-block;padding:12px 20px;border-radius:8px;background:#1a56c4;color:#ffffff;${FONT};font-size:16px;line-height:24px;font-weight:600;text-decoration:none">${label}</a>`;
  return `<p style="margin:0 0 12px">${button}</p>\n${small}`;
}

export interface Page {
  /** BCP 47. */
  readonly locale: string;
  /** Encoded for HTML, as is `service`. */
  readonly title: string;
  readonly service: string;
}

/** A whole HTML document; `fill` escapes. */
export function htmlPage(lines: readonly string[], fill: Fill, page: Page): string {
  const blocks = lines.map((line) => htmlBlock(blockOf(line), fill)).join('\n');
  return `<!doctype html>
<html lang="${page.locale}" dir="auto">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>${page.title}</title>
<style>
:root { color-scheme: light dark; supported-color-schemes: light dark; }
${DARK}
</style>
</head>
<body class="page" style="margin:0;padding:0;background:#eef0f4;-webkit-text-size-adjust:100%">
<table role="presentation" class="page" width="100%" cellpadding="0" cellspacing="0" border="0" style="background:#eef0f4">
<tr><td align="center" style="padding:24px 12px">
<table role="presentation" class="card" width="100%" cellpadding="0" cellspacing="0" border="0" style="max-width:536px;table-layout:fixed;background:#ffffff;border:1px solid #dde1e8;border-radius:12px">
<tr><td dir="auto" style="padding:24px 20px;text-align:start">
${blocks}
</td></tr>
</table>
<p class="quiet" style="margin:16px 0 0;${FONT};font-size:13px;line-height:20px;color:#5a6170">${page.service}</p>
</td></tr>
</table>
</body>
</html>
`;
}
