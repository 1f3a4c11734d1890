/** A way to send emails or text messages. */
import type { SmsTemplateName, TemplateName, TemplateValues } from '../core/email/templates.ts';

export interface OutgoingEmail {
  readonly id: string;
  readonly template: TemplateName;
  /** One validated address, never a list (T7). */
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  /** The values for the templates, for receivers that write their own texts. */
  readonly values: TemplateValues;
}

export interface OutgoingSms {
  readonly id: string;
  readonly template: SmsTemplateName;
  /** E.164. */
  readonly to: string;
  /** ISO 3166-1 alpha-2. */
  readonly country: string;
  readonly text: string;
  readonly values: TemplateValues;
}

/**
 * How many emails are sent at once: as many as the transport can send in parallel, so that none
 * waits in its internal queue, from which it could be sent besides its retry.
 */
export const EMAILS_AT_ONCE = 8;

export interface Transport<Message = OutgoingEmail> {
  readonly name: string;
  /**
   * Sends a message; once the signal is aborted, nothing more is sent.
   *
   * @throws {DeliveryError}
   */
  send(message: Message, signal?: AbortSignal): Promise<void>;
  /** Does the work of sending without sending, for a decoy (E06). */
  rehearse(message: Message): Promise<void>;
  /**
   * Connects and signs in without sending, if the transport supports it. @throws {DeliveryError}
   */
  check?(): Promise<void>;
  close(): void;
}

/**
 * An email was not accepted. The message names the server and the error, never the email's content.
 */
export class DeliveryError extends Error {
  override readonly name = 'DeliveryError';
  /** Whether a retry can succeed: an unknown recipient stays unknown. */
  readonly isPermanent: boolean;
  constructor(message: string, kind: 'permanent' | 'transient', options?: ErrorOptions) {
    super(message, options);
    this.isPermanent = kind === 'permanent';
  }
}
