/** The emails that are sent, by name; their texts are in `delivery/templates.ts`. */
export const TEMPLATES = [
  'verify_registration',
  'verify_registration_code',
  'account_exists',
  'verify_address',
  'invitation',
  'reset_password',
  'password_changed',
  'address_change_requested',
  'address_changed',
  'unusual_sign_in',
  'factor_added',
  'factor_removed',
  'recovery_codes_renewed',
  'recovery_code_used',
  'second_factor_failed',
  'passkey_suspect',
  'sign_in_code',
  'sign_in_link',
  'test',
] as const;

export type TemplateName = (typeof TEMPLATES)[number];

/** The text messages, which have one text with a code in it. */
export const SMS_TEMPLATES = ['sms_sign_in_code', 'sms_phone_code'] as const;

export type SmsTemplateName = (typeof SMS_TEMPLATES)[number];

/** All that the outbox can have. */
export const OUTBOX_TEMPLATES = [...TEMPLATES, ...SMS_TEMPLATES] as const;

export type OutboxTemplate = (typeof OUTBOX_TEMPLATES)[number];

/** The values in an email, by name; its template uses them. */
export type TemplateValues = Readonly<Record<string, string>>;
