/** Serialises a document once, with the entity tag that is compared with If-None-Match. */
import { createHash } from 'node:crypto';
import type { DocumentBytes } from './route.ts';

export function documentBytes(content: string): DocumentBytes {
  const bytes = Buffer.from(content, 'utf8');
  return {
    body: bytes.length === content.length ? content : bytes,
    etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`,
  };
}

export function jsonDocument(value: unknown): DocumentBytes {
  return documentBytes(JSON.stringify(value));
}
