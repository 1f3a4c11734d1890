/**
 * The WebAuthn library, loaded with the first ceremony: it includes X.509 and ASN.1, and many
 * deployments never need it.
 */

type Library = typeof import('@simplewebauthn/server');

/** The formats for which the library has root certificates. */
const ROOTED = ['android-key', 'android-safetynet', 'apple', 'mds'] as const;

/**
 * The library, without root certificates: statements are not checked against manufacturers and no
 * chain is followed, because the library would fetch addresses named in certificates (ASVS 1.3.6,
 * 13.2.4).
 */
export async function library(): Promise<Library> {
  const loaded = await import('@simplewebauthn/server');
  for (const identifier of ROOTED)
    loaded.SettingsService.setRootCertificates({ identifier, certificates: [] });
  return loaded;
}
