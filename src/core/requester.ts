/** From where a request comes, as far as it can be known. Over a Unix socket without a proxy's word the address is null. */
export interface Requester {
  readonly requestId: string;
  /** Client address after the trusted proxies, without port; null when unknown. */
  readonly ip: string | null;
  /** The User-Agent, cut to 256 characters, null when there is none. */
  readonly userAgent: string | null;
  /** The first language of Accept-Language, as in `de` or `pt-BR`; null when there is none. */
  readonly locale: string | null;
}
