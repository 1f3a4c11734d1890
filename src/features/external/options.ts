/** What one provider is made of. */
import type { ReadProvider } from './config.ts';

/** What the exchange of codes needs. */
export interface CodeOptions {
  readonly clientId: string;
  readonly redirectUris: readonly string[];
  readonly scopes: readonly string[];
  readonly authentication: ReadProvider['clientAuthentication'];
  readonly binding: ReadProvider['codeBinding'];
  readonly clientSecret: string | undefined;
  /** For Apple alone. */
  readonly teamId: string | undefined;
  readonly keyId: string | undefined;
  readonly privateKey: string | undefined;
}

export interface ProviderOptions
  extends Pick<ReadProvider, 'issuer' | 'issuers' | 'profile' | 'apiUrl'> {
  readonly name: string;
  readonly clientIds: readonly string[];
  readonly algorithms: readonly string[];
  /** Absent: the provider's metadata says where its keys are. */
  readonly jwksUrl: string | undefined;
  /** Null: codes are off. */
  readonly code: CodeOptions | null;
}
