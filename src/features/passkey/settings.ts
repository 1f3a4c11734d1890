/** Shared by the operations of this feature: its settings, and its additions to the kernel. */
import type { Kernel } from '../../core/kernel.ts';
import type { RelyingPartyScope } from './config.ts';

export interface RelyingParty extends RelyingPartyScope {
  readonly name: string;
}

export interface PasskeySettings {
  readonly relyingParty: RelyingParty;
  readonly userVerification: 'required' | 'preferred' | 'discouraged';
  readonly attestation: 'none' | 'indirect' | 'direct' | 'enterprise';
  /** Pages for password managers. */
  readonly enrollUrl: string | undefined;
  readonly manageUrl: string | undefined;
}

/** The kernel and the settings, when passkeys are enabled. */
export interface PasskeyKernel extends Kernel {
  readonly passkeys: PasskeySettings;
}
