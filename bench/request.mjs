/** Requests as the text that goes over the wire, made before anything is timed. */

/**
 * @param {string} method
 * @param {string} path
 * @param {readonly string[]} headers
 * @param {string} [body] JSON
 */
export function requestText(method, path, headers = [], body) {
  const content =
    body === undefined
      ? []
      : ['Content-Type: application/json', `Content-Length: ${Buffer.byteLength(body)}`];
  return text(method, path, [...headers, ...content], body);
}

/**
 * The same with a form.
 *
 * @param {string} path
 * @param {readonly string[]} headers
 * @param {Record<string, string>} form
 */
export function formText(path, headers, form) {
  const body = new URLSearchParams(form).toString();
  const content = [
    'Content-Type: application/x-www-form-urlencoded',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  return text('POST', path, [...headers, ...content], body);
}

/**
 * @param {string} method
 * @param {string} path
 * @param {readonly string[]} headers
 * @param {string} [body]
 */
function text(method, path, headers, body) {
  return `${[`${method} ${path} HTTP/1.1`, 'Host: 127.0.0.1', ...headers].join('\r\n')}\r\n\r\n${body ?? ''}`;
}
