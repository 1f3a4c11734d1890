/** A way to send letters. */
import type { LetterName, LetterValues } from '../core/email/outbox.ts';

export interface OutgoingLetter {
  readonly id: string;
  readonly letter: LetterName;
  /** One checked address, never a list (T7). */
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  /** What the templates were filled with, for those who write letters of their own. */
  readonly values: LetterValues;
}

export interface Transport {
  readonly name: string;
  /** Hands a letter over. @throws {DeliveryError} */
  send(letter: OutgoingLetter): Promise<void>;
  close(): void;
}

/** A letter was not taken. The message names the server and the fault, never the letter. */
export class DeliveryError extends Error {
  override readonly name = 'DeliveryError';
  /** Whether trying again can help: an unknown recipient stays unknown. */
  readonly isPermanent: boolean;
  constructor(message: string, isPermanent: boolean, options?: ErrorOptions) {
    super(message, options);
    this.isPermanent = isPermanent;
  }
}
