// Made of docs/openapi.json by scripts/write-docs.mjs.

export type Problem = {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** Stable; programs branch on it. */
  readonly code: string;
  readonly request_id: string;
  /** With invalid_request: each fault of the input. */
  readonly errors?: readonly ({
    /** The place in the body (RFC 6901). */
    readonly pointer: string;
    readonly code: string;
    readonly detail: string;
  })[];
  /** With password_change_required: what POST /password/reset takes. */
  readonly reset_token?: string;
  /** With password_change_required: a link was sent instead. */
  readonly email_sent?: true;
  /** With insufficient_user_authentication for a user who has a second factor: the factors that POST /reauthenticate accepts. */
  readonly factors?: readonly ('password' | 'totp' | 'passkey' | 'recovery_code')[];
  /** With password_change_required: seconds until reset_token expires. */
  readonly expires_in?: number;
  /** With invalid_credentials for a passkey that is unknown to this service: the argument of PublicKeyCredential.signalUnknownCredential(). */
  readonly unknown_credential?: {
    readonly rpId: string;
    readonly credentialId: string;
  };
  /** With not_ready: what is missing. */
  readonly reasons?: readonly (string)[];
};

export type RegistrationResponseJSON = {
  readonly id: string;
  readonly rawId: string;
  readonly type: 'public-key';
  readonly response: {
    readonly clientDataJSON: string;
    readonly attestationObject: string;
    readonly authenticatorData?: string;
    readonly transports?: readonly (string)[];
    readonly publicKeyAlgorithm?: number;
    readonly publicKey?: string | null;
  };
  readonly authenticatorAttachment?: string | null;
  readonly clientExtensionResults?: Readonly<Record<string, unknown>>;
};

export type User = {
  readonly id: string;
  readonly username: string | null;
  /** The verified address; if there is none, the pending one, with email_verified false. */
  readonly email: string | null;
  readonly email_verified: boolean;
  /** The address that POST /email/verify will verify; until then it reserves nothing and can not be used to sign in. */
  readonly pending_email: string | null;
  /** The verified number (E.164); if there is none, the pending one, with phone_verified false. */
  readonly phone: string | null;
  readonly phone_verified: boolean;
  readonly display_name: string | null;
  readonly mfa_enabled: boolean;
  /** Whether nobody can sign in to it yet; see registration.anonymous. */
  readonly anonymous: boolean;
  /** RFC 3339, UTC, milliseconds */
  readonly created_at: string;
  /** RFC 3339, UTC, milliseconds */
  readonly updated_at: string;
  readonly user_metadata: Readonly<Record<string, unknown>>;
};

export type VerificationRequired = {
  readonly status: 'verification_required';
  /** Keep it: the account is created with it and the code in the email. */
  readonly registration_id: string;
  /** Seconds until the code expires. */
  readonly expires_in: number;
};

export type Registered = {
  readonly status: 'authenticated';
  readonly token_type: 'Bearer';
  readonly access_token: string;
  /** Seconds until the access token expires. */
  readonly expires_in: number;
  /** Absent when the request asked for the cookie. */
  readonly refresh_token?: string;
  /** Seconds until the refresh token expires if it is not used. */
  readonly refresh_token_expires_in: number;
  readonly session_id: string;
  /** Only in the answer to a refresh: false when the refresh token is the one that was sent, which stays valid. Absent when it was replaced. */
  readonly rotated?: false;
  /** The user has no second factor but must enrol one; enrolment can be postponed until this time. */
  readonly mfa_due_at?: string;
  /** Only in the answer to a sign-in: send it with later sign-ins from this device, so that an attack on the account does not lock this device out. It has no other use. */
  readonly device_token?: string;
  readonly user: User;
  /** Shown only in this answer: of an account without a password. */
  readonly recovery_codes?: readonly (string)[];
} | {
  readonly status: 'mfa_required';
  readonly challenge_token: string;
  readonly factors: readonly (string)[];
  /** Seconds until the challenge expires. */
  readonly expires_in: number;
  readonly user: User;
  /** Shown only in this answer: of an account without a password. */
  readonly recovery_codes?: readonly (string)[];
};

export type Authentication = Authenticated | MfaRequired;

export type Authenticated = {
  readonly status: 'authenticated';
  readonly token_type: 'Bearer';
  readonly access_token: string;
  /** Seconds until the access token expires. */
  readonly expires_in: number;
  /** Absent when the request asked for the cookie. */
  readonly refresh_token?: string;
  /** Seconds until the refresh token expires if it is not used. */
  readonly refresh_token_expires_in: number;
  readonly session_id: string;
  /** Only in the answer to a refresh: false when the refresh token is the one that was sent, which stays valid. Absent when it was replaced. */
  readonly rotated?: false;
  /** The user has no second factor but must enrol one; enrolment can be postponed until this time. */
  readonly mfa_due_at?: string;
  /** Only in the answer to a sign-in: send it with later sign-ins from this device, so that an attack on the account does not lock this device out. It has no other use. */
  readonly device_token?: string;
};

export type MfaRequired = {
  readonly status: 'mfa_required';
  readonly challenge_token: string;
  readonly factors: readonly ('password' | 'totp' | 'passkey' | 'recovery_code')[];
  /** Seconds until the challenge expires. */
  readonly expires_in: number;
};

export type PasswordCheck = {
  readonly valid: boolean;
  /** From 0 (guessed at once) to 4 (strong): a hint for a meter. Only `valid` decides. */
  readonly score: number;
  readonly errors: readonly ({
    readonly pointer: string;
    readonly code: string;
    readonly detail: string;
  })[];
};

export type TotpEnrolment = {
  /** Base 32, for typing. */
  readonly secret: string;
  /** For the QR code. */
  readonly otpauth_uri: string;
};

export type RecoveryCodes = {
  /** Shown only in this answer; each can be used once instead of a second factor. */
  readonly recovery_codes: readonly (string)[];
};

export type PasskeyCreation = {
  readonly challenge_id: string;
  readonly options: PublicKeyCredentialCreationOptionsJSON;
};

export type PublicKeyCredentialCreationOptionsJSON = {
  readonly challenge: string;
  readonly rp: {
    readonly id: string;
    readonly name: string;
  };
  readonly user: {
    readonly id: string;
    readonly name: string;
    readonly displayName: string;
  };
  readonly pubKeyCredParams: readonly ({
    readonly type: 'public-key';
    readonly alg: number;
  })[];
  /** Milliseconds. */
  readonly timeout: number;
  readonly excludeCredentials: readonly ({
    readonly type: 'public-key';
    readonly id: string;
    readonly transports: readonly (string)[];
  })[];
  readonly authenticatorSelection: {
    readonly residentKey: 'required';
    readonly requireResidentKey: true;
    readonly userVerification: 'required' | 'preferred' | 'discouraged';
  };
  readonly attestation: 'none' | 'indirect' | 'direct' | 'enterprise';
  readonly extensions: {
    readonly credProps: true;
  };
};

export type Passkey = {
  readonly id: string;
  readonly name: string;
  /** RFC 3339, UTC, milliseconds */
  readonly created_at: string;
  readonly last_used_at: string | null;
  /** Whether it can be on several devices. */
  readonly backup_eligible: boolean;
  /** Whether it was on several devices when it was last used. */
  readonly backed_up: boolean;
  readonly transports: readonly (string)[];
  /** The model of the authenticator, if it reports one. */
  readonly aaguid: string;
  /** It repeated an earlier signature counter, so it may have been copied. */
  readonly clone_suspected: boolean;
};

export type PasskeyRequest = {
  readonly challenge_id: string;
  readonly options: PublicKeyCredentialRequestOptionsJSON;
};

export type PublicKeyCredentialRequestOptionsJSON = {
  readonly challenge: string;
  readonly rpId: string;
  /** Milliseconds. */
  readonly timeout: number;
  /** Empty, so that the authenticator offers the passkeys that it has. */
  readonly allowCredentials: readonly ({
    readonly type: 'public-key';
    readonly id: string;
    readonly transports: readonly (string)[];
  })[];
  readonly userVerification: 'required' | 'preferred' | 'discouraged';
};

export type AuthenticationResponseJSON = {
  readonly id: string;
  readonly rawId: string;
  readonly type: 'public-key';
  readonly response: {
    readonly clientDataJSON: string;
    readonly authenticatorData: string;
    readonly signature: string;
    readonly userHandle?: string | null;
  };
  readonly authenticatorAttachment?: string | null;
  readonly clientExtensionResults?: Readonly<Record<string, unknown>>;
};

export type ExternalNonce = {
  readonly nonce: string;
  readonly expires_in: number;
};

export type ExternalFlow = {
  readonly url: string;
  readonly flow: string;
  readonly expires_in: number;
};

export type Identities = {
  readonly identities: readonly (Identity)[];
};

export type Identity = {
  readonly provider: string;
  readonly issuer: string;
  /** The `sub` at the issuer. */
  readonly subject: string;
  /** The address that the provider named when it was linked. */
  readonly email: string | null;
  /** RFC 3339, UTC, milliseconds */
  readonly created_at: string;
  readonly last_used_at: string | null;
};

export type SignInCode = {
  /** Keep it: the code is worth nothing without it. */
  readonly otp_id: string;
  /** Seconds until the code expires. */
  readonly expires_in: number;
};

export type Factors = {
  readonly totp: Totp | null;
  readonly passkeys: readonly (Passkey)[];
  readonly passkey_signals: PasskeySignals;
  readonly recovery_codes_left: number;
};

export type Totp = {
  /** RFC 3339, UTC, milliseconds */
  readonly created_at: string;
  readonly last_used_at: string | null;
};

export type PasskeySignals = {
  readonly all_accepted_credentials: {
    readonly rpId: string;
    readonly userId: string;
    readonly allAcceptedCredentialIds: readonly (string)[];
  };
  readonly current_user_details: {
    readonly rpId: string;
    readonly userId: string;
    readonly name: string;
    readonly displayName: string;
  };
};

export type Session = {
  readonly id: string;
  /** RFC 3339, UTC, milliseconds */
  readonly created_at: string;
  /** RFC 3339, UTC, milliseconds */
  readonly last_used_at: string;
  readonly ip: string | null;
  readonly user_agent: string | null;
  readonly amr: readonly (string)[];
  readonly current: boolean;
};

export type PhoneCode = {
  /** Keep it: the code is worth nothing without it. */
  readonly otp_id: string;
  /** Seconds until the code expires. */
  readonly expires_in: number;
};

export type Verification = {
  readonly verified: boolean;
  readonly token_kind?: 'access';
  /** Seconds. */
  readonly remaining_time?: number;
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly code?: 'invalid_token' | 'token_expired' | 'session_revoked';
};

export type Introspection = {
  readonly active: boolean;
  readonly token_type?: 'Bearer';
  readonly iss?: string;
  readonly sub?: string;
  readonly aud?: string;
  readonly client_id?: string;
  readonly exp?: number;
  readonly iat?: number;
  readonly nbf?: number;
  readonly jti?: string;
  readonly scope?: string;
};

export type OAuthError = {
  /** A code of RFC 6749 section 5.2 and its extensions. */
  readonly error: string;
  readonly error_description: string;
  readonly request_id: string;
};

export type Token = {
  readonly access_token: string;
  readonly token_type: 'Bearer';
  readonly expires_in: number;
  readonly scope?: string;
  readonly issued_token_type?: 'urn:ietf:params:oauth:token-type:access_token';
};

/** Each route of the API: what it takes, and what it answers when it succeeds. */
export interface Routes {
  readonly 'POST /register': {
    readonly body: {
      /** Up to 64 letters and digits of any script; dot, underscore and hyphen after the first. Compared by NFKC and case folding. */
      readonly username?: string;
      /** An account with nothing to sign in with, and no name: 201, with a session. It keeps its id when a sign-in method is added, and is deleted when it is not used. */
      readonly anonymous?: true;
      readonly email?: string;
      readonly display_name?: string;
      readonly user_metadata?: Readonly<Record<string, unknown>>;
      readonly password?: string;
      /** Instead of a password: what was made with POST /register/passkey/options. */
      readonly passkey?: {
        /** From the answer with the options. */
        readonly challenge_id: string;
        readonly credential: RegistrationResponseJSON;
        readonly name?: string;
      };
      /** True: the refresh token is sent as a __Host-refresh cookie and not in the body. Needs cookies.enabled. */
      readonly cookie?: boolean;
    };
    readonly reply: {
    readonly status: 'authenticated';
    readonly token_type: 'Bearer';
    readonly access_token: string;
    /** Seconds until the access token expires. */
    readonly expires_in: number;
    /** Absent when the request asked for the cookie. */
    readonly refresh_token?: string;
    /** Seconds until the refresh token expires if it is not used. */
    readonly refresh_token_expires_in: number;
    readonly session_id: string;
    /** Only in the answer to a refresh: false when the refresh token is the one that was sent, which stays valid. Absent when it was replaced. */
    readonly rotated?: false;
    /** The user has no second factor but must enrol one; enrolment can be postponed until this time. */
    readonly mfa_due_at?: string;
    /** Only in the answer to a sign-in: send it with later sign-ins from this device, so that an attack on the account does not lock this device out. It has no other use. */
    readonly device_token?: string;
    readonly user: User;
    /** Shown only in this answer: of an account without a password. */
    readonly recovery_codes?: readonly (string)[];
  } | {
    readonly status: 'mfa_required';
    readonly challenge_token: string;
    readonly factors: readonly (string)[];
    /** Seconds until the challenge expires. */
    readonly expires_in: number;
    readonly user: User;
    /** Shown only in this answer: of an account without a password. */
    readonly recovery_codes?: readonly (string)[];
  } | VerificationRequired | VerificationRequired;
  };
  readonly 'POST /register/verify': {
    readonly body: {
      readonly registration_id?: string;
      readonly code?: string;
      readonly token?: string;
      readonly password?: string;
      /** True: the refresh token is sent as a __Host-refresh cookie and not in the body. Needs cookies.enabled. */
      readonly cookie?: boolean;
    };
    readonly reply: Registered;
  };
  readonly 'POST /register/resend': {
    readonly body: {
      readonly registration_id: string;
    };
    readonly reply: undefined;
  };
  readonly 'POST /password/forgot': {
    readonly body: {
      /** A username or a verified email address. */
      readonly username: string;
    };
    readonly reply: undefined;
  };
  readonly 'POST /password/reset/check': {
    readonly body: {
      readonly token: string;
    };
    readonly reply: undefined;
  };
  readonly 'POST /password/reset': {
    readonly body: {
      readonly token: string;
      readonly password: string;
    };
    readonly reply: undefined;
  };
  readonly 'POST /login': {
    readonly body: {
      /** A username or a verified email address. */
      readonly username: string;
      readonly password: string;
      /** From an earlier sign-in on this device. */
      readonly device_token?: string;
      /** The audience of the access token, one of [audiences]; if absent, tokens.audience. */
      readonly resource?: string;
      /** True: the refresh token is sent as a __Host-refresh cookie and not in the body. Needs cookies.enabled. */
      readonly cookie?: boolean;
      /** The six digits of the authenticator app, which saves the second request. */
      readonly totp?: string;
    };
    readonly reply: Authentication;
  };
  readonly 'POST /me/password': {
    readonly body: {
      readonly current_password?: string;
      readonly new_password: string;
    };
    readonly reply: undefined;
  };
  readonly 'POST /password/check': {
    readonly body: {
      readonly password: string;
      readonly username?: string;
      readonly email?: string;
    };
    readonly reply: PasswordCheck;
  };
  readonly 'POST /me/totp': {
    readonly body: undefined;
    readonly reply: TotpEnrolment;
  };
  readonly 'DELETE /me/totp': {
    readonly body: undefined;
    readonly reply: undefined;
  };
  readonly 'POST /me/totp/confirm': {
    readonly body: {
      readonly code: string;
    };
    readonly reply: RecoveryCodes;
  };
  readonly 'POST /me/passkeys/options': {
    readonly body: undefined;
    readonly reply: PasskeyCreation;
  };
  readonly 'POST /me/passkeys': {
    readonly body: {
      /** From the answer with the options. */
      readonly challenge_id: string;
      readonly credential: RegistrationResponseJSON;
      /** The name that its user chose. */
      readonly name?: string;
    };
    readonly reply: Passkey;
  };
  readonly 'PATCH /me/passkeys/{id}': {
    readonly body: {
      /** The name that its user chose. */
      readonly name: string;
    };
    readonly reply: Passkey;
  };
  readonly 'DELETE /me/passkeys/{id}': {
    readonly body: undefined;
    readonly reply: undefined;
  };
  readonly 'POST /login/passkey/options': {
    readonly body: {
      /** A username or a verified email address. */
      readonly username?: string;
    };
    readonly reply: PasskeyRequest;
  };
  readonly 'POST /login/passkey': {
    readonly body: {
      /** From the answer with the options. */
      readonly challenge_id: string;
      readonly credential: AuthenticationResponseJSON;
      /** True: the refresh token is sent as a __Host-refresh cookie and not in the body. Needs cookies.enabled. */
      readonly cookie?: boolean;
    };
    readonly reply: Authentication;
  };
  readonly 'POST /login/mfa/passkey/options': {
    readonly body: {
      readonly challenge_token: string;
    };
    readonly reply: PasskeyRequest;
  };
  readonly 'POST /reauthenticate/passkey/options': {
    readonly body: undefined;
    readonly reply: PasskeyRequest;
  };
  readonly 'POST /register/passkey/options': {
    readonly body: {
      readonly username?: string;
      readonly email?: string;
      readonly display_name?: string;
    };
    readonly reply: PasskeyCreation;
  };
  readonly 'GET /.well-known/passkey-endpoints': {
    readonly body: undefined;
    readonly reply: Readonly<Record<string, unknown>>;
  };
  readonly 'POST /login/external/{provider}/nonce': {
    readonly body: undefined;
    readonly reply: ExternalNonce;
  };
  readonly 'POST /login/external/{provider}/start': {
    readonly body: {
      /** One of redirect_uris of the provider, if there are several. */
      readonly redirect_uri?: string;
    };
    readonly reply: ExternalFlow;
  };
  readonly 'POST /login/external/{provider}': {
    readonly body: {
      /** As the provider issued it; with nonce. */
      readonly id_token?: string;
      /** From POST /login/external/{provider}/nonce; the ID token has it too. */
      readonly nonce?: string;
      /** As the provider sent it back to redirect_uri; with state and flow. */
      readonly code?: string;
      /** As it came with the code. */
      readonly state?: string;
      /** From POST /login/external/{provider}/start, kept by the page that asked for it. */
      readonly flow?: string;
      /** As it came with the code, if it did (RFC 9207). */
      readonly iss?: string;
      /** The audience of the access token, one of [audiences]; if absent, tokens.audience. */
      readonly resource?: string;
      /** True: the refresh token is sent as a __Host-refresh cookie and not in the body. Needs cookies.enabled. */
      readonly cookie?: boolean;
    };
    readonly reply: Authentication;
  };
  readonly 'GET /me/identities': {
    readonly body: undefined;
    readonly reply: Identities;
  };
  readonly 'POST /me/identities/{provider}': {
    readonly body: {
      /** As the provider issued it; with nonce. */
      readonly id_token?: string;
      /** From POST /login/external/{provider}/nonce; the ID token has it too. */
      readonly nonce?: string;
      /** As the provider sent it back to redirect_uri; with state and flow. */
      readonly code?: string;
      /** As it came with the code. */
      readonly state?: string;
      /** From POST /login/external/{provider}/start, kept by the page that asked for it. */
      readonly flow?: string;
      /** As it came with the code, if it did (RFC 9207). */
      readonly iss?: string;
    };
    readonly reply: Identity;
  };
  readonly 'DELETE /me/identities/{provider}': {
    readonly body: undefined;
    readonly reply: undefined;
  };
  readonly 'POST /login/otp': {
    readonly body: {
      readonly email?: string;
      /** With + and the country calling code; spaces, dots and hyphens are ignored. */
      readonly phone?: string;
    };
    readonly reply: SignInCode;
  };
  readonly 'POST /login/otp/verify': {
    readonly body: {
      readonly otp_id: string;
      readonly code: string;
      /** From an earlier sign-in on this device. */
      readonly device_token?: string;
      /** The audience of the access token, one of [audiences]; if absent, tokens.audience. */
      readonly resource?: string;
      /** True: the refresh token is sent as a __Host-refresh cookie and not in the body. Needs cookies.enabled. */
      readonly cookie?: boolean;
    };
    readonly reply: Authentication;
  };
  readonly 'POST /login/link': {
    readonly body: {
      /** From the fragment of the link. */
      readonly token: string;
      /** From the answer of POST /login/otp. */
      readonly otp_id?: string;
      /** From an earlier sign-in on this device. */
      readonly device_token?: string;
      /** The audience of the access token, one of [audiences]; if absent, tokens.audience. */
      readonly resource?: string;
      /** True: the refresh token is sent as a __Host-refresh cookie and not in the body. Needs cookies.enabled. */
      readonly cookie?: boolean;
    };
    readonly reply: Authentication;
  };
  readonly 'POST /login/recovery-code': {
    readonly body: {
      /** A username or a verified email address. */
      readonly username: string;
      readonly recovery_code: string;
      /** From an earlier sign-in on this device. */
      readonly device_token?: string;
      /** The audience of the access token, one of [audiences]; if absent, tokens.audience. */
      readonly resource?: string;
      /** True: the refresh token is sent as a __Host-refresh cookie and not in the body. Needs cookies.enabled. */
      readonly cookie?: boolean;
    };
    readonly reply: Authentication;
  };
  readonly 'POST /me/recovery-codes': {
    readonly body: undefined;
    readonly reply: RecoveryCodes;
  };
  readonly 'POST /reauthenticate': {
    readonly body: {
      /** After a passkey that did not verify its user. */
      readonly password?: string;
      /** The six digits of the authenticator app. */
      readonly totp?: string;
      readonly passkey?: {
        /** From the answer with the options. */
        readonly challenge_id: string;
        readonly credential: AuthenticationResponseJSON;
      };
      /** One of the ten; case, spaces and hyphens do not count. */
      readonly recovery_code?: string;
      /** The members of POST /login/external/{provider}, and the name of the provider. */
      readonly external?: {
        readonly provider: string;
        /** As the provider issued it; with nonce. */
        readonly id_token?: string;
        /** From POST /login/external/{provider}/nonce; the ID token has it too. */
        readonly nonce?: string;
        /** As the provider sent it back to redirect_uri; with state and flow. */
        readonly code?: string;
        /** As it came with the code. */
        readonly state?: string;
        /** From POST /login/external/{provider}/start, kept by the page that asked for it. */
        readonly flow?: string;
        /** As it came with the code, if it did (RFC 9207). */
        readonly iss?: string;
      };
      /** A code of POST /login/otp to the verified address. */
      readonly email_code?: {
        readonly otp_id: string;
        readonly code: string;
      };
      /** A code of POST /login/otp to the verified number. */
      readonly sms_code?: {
        readonly otp_id: string;
        readonly code: string;
      };
      /** True: the refresh token is sent as a __Host-refresh cookie and not in the body. Needs cookies.enabled. */
      readonly cookie?: boolean;
    };
    readonly reply: Authenticated;
  };
  readonly 'POST /login/mfa': {
    readonly body: {
      readonly challenge_token: string;
      /** After a passkey that did not verify its user. */
      readonly password?: string;
      /** The six digits of the authenticator app. */
      readonly totp?: string;
      readonly passkey?: {
        /** From the answer with the options. */
        readonly challenge_id: string;
        readonly credential: AuthenticationResponseJSON;
      };
      /** One of the ten; case, spaces and hyphens do not count. */
      readonly recovery_code?: string;
      /** The audience of the access token, one of [audiences]; if absent, tokens.audience. */
      readonly resource?: string;
      /** True: the refresh token is sent as a __Host-refresh cookie and not in the body. Needs cookies.enabled. */
      readonly cookie?: boolean;
    };
    readonly reply: Authentication;
  };
  readonly 'GET /me/factors': {
    readonly body: undefined;
    readonly reply: Factors;
  };
  readonly 'POST /refresh': {
    readonly body: {
      readonly refresh_token?: string;
      /** The audience of the access token, one of [audiences]; if absent, tokens.audience. */
      readonly resource?: string;
      /** True: the refresh token is sent as a __Host-refresh cookie and not in the body. Needs cookies.enabled. */
      readonly cookie?: boolean;
    };
    readonly reply: Authenticated;
  };
  readonly 'POST /logout': {
    readonly body: {
      readonly refresh_token?: string;
    };
    readonly reply: undefined;
  };
  readonly 'POST /logout/all': {
    readonly body: undefined;
    readonly reply: undefined;
  };
  readonly 'GET /me/sessions': {
    readonly body: undefined;
    readonly reply: {
    readonly sessions: readonly (Session)[];
  };
  };
  readonly 'DELETE /me/sessions/{id}': {
    readonly body: undefined;
    readonly reply: undefined;
  };
  readonly 'GET /me': {
    readonly body: undefined;
    readonly reply: User;
  };
  readonly 'PATCH /me': {
    readonly body: {
      readonly display_name?: string | null;
      readonly user_metadata?: Readonly<Record<string, unknown>>;
      readonly email?: string;
      readonly username?: string;
    };
    readonly reply: User;
  };
  readonly 'DELETE /me': {
    readonly body: undefined;
    readonly reply: undefined;
  };
  readonly 'POST /email/verify': {
    readonly body: {
      readonly code: string;
    };
    readonly reply: User;
  };
  readonly 'POST /email/verify/resend': {
    readonly body: undefined;
    readonly reply: undefined;
  };
  readonly 'POST /me/phone': {
    readonly body: {
      /** With + and the country calling code; spaces, dots and hyphens are ignored. */
      readonly phone: string;
    };
    readonly reply: PhoneCode;
  };
  readonly 'DELETE /me/phone': {
    readonly body: undefined;
    readonly reply: undefined;
  };
  readonly 'POST /me/phone/verify': {
    readonly body: {
      readonly otp_id: string;
      readonly code: string;
    };
    readonly reply: User;
  };
  readonly 'GET /verify': {
    readonly body: undefined;
    readonly reply: undefined;
  };
  readonly 'POST /verify': {
    readonly body: {
      readonly token: string;
    };
    readonly reply: Verification;
  };
  readonly 'GET /': {
    readonly body: undefined;
    readonly reply: Readonly<Record<string, unknown>>;
  };
  readonly 'GET /.well-known/oauth-authorization-server': {
    readonly body: undefined;
    readonly reply: Readonly<Record<string, unknown>>;
  };
  readonly 'GET /.well-known/openid-configuration': {
    readonly body: undefined;
    readonly reply: Readonly<Record<string, unknown>>;
  };
  readonly 'GET /healthz': {
    readonly body: undefined;
    readonly reply: {
    readonly status: 'ok';
  };
  };
  readonly 'GET /readyz': {
    readonly body: undefined;
    readonly reply: {
    readonly status: 'ok';
  };
  };
}
