import com.nimbusds.jose.JOSEObjectType;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.jwk.source.JWKSource;
import com.nimbusds.jose.jwk.source.JWKSourceBuilder;
import com.nimbusds.jose.proc.DefaultJOSEObjectTypeVerifier;
import com.nimbusds.jose.proc.JWSVerificationKeySelector;
import com.nimbusds.jose.proc.SecurityContext;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.proc.DefaultJWTClaimsVerifier;
import com.nimbusds.jwt.proc.DefaultJWTProcessor;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Set;

/** Judges each line of standard input: accept or refuse. ISSUER=... AUDIENCE=... java -jar target/verify.jar */
public final class Verify {
  private static DefaultJWTProcessor<SecurityContext> processor(String issuer, String audience) throws Exception {
    JWKSource<SecurityContext> keys =
        JWKSourceBuilder.create(URI.create(issuer + "/.well-known/jwks.json").toURL()).retrying(true).outageTolerant(true).build();
    DefaultJWTProcessor<SecurityContext> processor = new DefaultJWTProcessor<>();
    // By default the library takes typ JWT and none: an access token's is at+jwt.
    processor.setJWSTypeVerifier(new DefaultJOSEObjectTypeVerifier<>(new JOSEObjectType("at+jwt")));
    processor.setJWSKeySelector(new JWSVerificationKeySelector<>(JWSAlgorithm.ES256, keys));
    processor.setJWTClaimsSetVerifier(
        new DefaultJWTClaimsVerifier<>(
            audience, new JWTClaimsSet.Builder().issuer(issuer).build(), Set.of("sub", "exp", "iat", "jti")));
    return processor;
  }

  public static void main(String[] args) throws Exception {
    DefaultJWTProcessor<SecurityContext> processor = processor(System.getenv("ISSUER"), System.getenv("AUDIENCE"));
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String token = lines.readLine(); token != null; token = lines.readLine()) {
      String verdict = "accept";
      try {
        processor.process(token, null);
      } catch (Exception refused) {
        verdict = "refuse";
      }
      System.out.println(verdict);
    }
  }
}
