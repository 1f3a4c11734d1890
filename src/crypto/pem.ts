/** What settings say in PEM, as far as it has to be judged before it is used. */
import { X509Certificate, createPrivateKey } from 'node:crypto';

/** The bits of an RSA key; 0 for a key of another kind, null for what is no private key. */
export function rsaKeyBits(pem: string): number | null {
  try {
    const { asymmetricKeyType, asymmetricKeyDetails } = createPrivateKey(pem);
    return asymmetricKeyType === 'rsa' ? (asymmetricKeyDetails?.modulusLength ?? 0) : 0;
  } catch {
    return null;
  }
}

/** Whether it is a private key on P-256, as ES256 needs. */
export function isP256Key(pem: string): boolean {
  try {
    const { asymmetricKeyDetails } = createPrivateKey(pem);
    return asymmetricKeyDetails?.namedCurve === 'prime256v1';
  } catch {
    return false;
  }
}

/** @throws it begins with no certificate: TLS would ignore it, and then refuse the server's */
export function demandCertificate(pem: string): void {
  new X509Certificate(pem);
}
