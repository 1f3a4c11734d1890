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
  return `${[`${method} ${path} HTTP/1.1`, 'Host: 127.0.0.1', ...headers, ...content].join('\r\n')}\r\n\r\n${body ?? ''}`;
}
