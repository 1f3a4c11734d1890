/** What a browser has beyond Node; each is used where it is there. */

interface PublicKeyCredentialJson {
  toJSON?(): unknown;
}

export interface Host {
  readonly navigator?: {
    readonly locks?: {
      request<T>(
        name: string,
        options: { ifAvailable: boolean },
        run: (lock: unknown) => Promise<T>,
      ): Promise<T>;
    };
    readonly credentials?: {
      create(options: object): Promise<PublicKeyCredentialJson | null>;
      get(options: object): Promise<PublicKeyCredentialJson | null>;
    };
  };
  /** There where a browser reads text messages. */
  readonly OTPCredential?: unknown;
  readonly PublicKeyCredential?: {
    isConditionalMediationAvailable?(): Promise<boolean>;
    parseCreationOptionsFromJSON?(options: unknown): object;
    parseRequestOptionsFromJSON?(options: unknown): object;
  };
  readonly BroadcastChannel?: new (
    name: string,
  ) => {
    onmessage: ((event: { data: unknown }) => void) | null;
    postMessage(data: unknown): void;
    close(): void;
    unref?(): void;
  };
}

export const host = globalThis as unknown as Host;
