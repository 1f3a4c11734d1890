/** Content negotiation: If-None-Match and Accept-Encoding. */

/** Whether gzip is an accepted content coding (RFC 9110 §12.5.3). */
export function acceptsGzip(header: string | undefined): boolean {
  if (header === undefined) return false;
  // What most clients and proxies send.
  if (header === 'gzip' || header.startsWith('gzip, ')) return true;
  return header
    .toLowerCase()
    .split(',')
    .some((coding) => /^\s*(?:gzip|x-gzip|\*)\s*(?:;\s*q=(?!0(?:\.0*)?\s*$).*)?$/.test(coding));
}

/** The weak comparison that If-None-Match requires (RFC 9110 §13.1.2). */
export function matchesEtag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return (
    header.trim() === '*' ||
    header.split(',').some((candidate) => candidate.trim().replace(/^W\//, '') === etag)
  );
}
