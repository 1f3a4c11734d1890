/**
 * The WebAuthn library, loaded when the first ceremony begins: it brings X.509 and ASN.1 along, and
 * many never need it.
 */

type Library = typeof import('@simplewebauthn/server');

/** What the library keeps roots for. */
const ROOTED = ['android-key', 'android-safetynet', 'apple', 'mds'] as const;

/**
 * The library, with no roots: statements are checked against no list of makers, and no chain is
 * followed, for on its way the library would ask the addresses that certificates name (ASVS 1.3.6,
 * 13.2.4).
 */
export async function library(): Promise<Library> {
  const loaded = await import('@simplewebauthn/server');
  for (const identifier of ROOTED)
    loaded.SettingsService.setRootCertificates({ identifier, certificates: [] });
  return loaded;
}
