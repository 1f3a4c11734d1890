"""Other people's libraries for Python: judges each line of standard input, accept or refuse.

ISSUER=... AUDIENCE=... python3 judges.py NAME, or `authlib-metadata URL` for RFC 8414's validate().
"""
import json
import os
import sys
import time
from urllib.request import urlopen

ISSUER, AUDIENCE = os.environ.get("ISSUER", ""), os.environ.get("AUDIENCE", "")
ALGORITHM = os.environ.get("ALGORITHM", "ES256")
JWKS_URI = os.environ.get("JWKS_URI", f"{ISSUER}/.well-known/jwks.json")


def fetch(url):
    with urlopen(url, timeout=5) as answer:
        return json.load(answer)


def authlib():
    from authlib.jose import JsonWebKey, JsonWebToken

    keys = JsonWebKey.import_key_set(fetch(JWKS_URI))
    jwt = JsonWebToken([ALGORITHM])
    expected = {
        "iss": {"essential": True, "value": ISSUER},
        "aud": {"essential": True, "value": AUDIENCE},
        "exp": {"essential": True},
    }

    def judge(token):
        claims = jwt.decode(token, keys, claims_options=expected)
        claims.validate(leeway=60)
        return claims.header.get("typ") == "at+jwt"

    return judge


def jwcrypto():
    from jwcrypto import jwk, jwt

    keys = jwk.JWKSet.from_json(json.dumps(fetch(JWKS_URI)))
    expected = {"iss": ISSUER, "aud": AUDIENCE, "exp": None, "nbf": None}

    def judge(token):
        one = jwt.JWT(jwt=token, key=keys, algs=[ALGORITHM], check_claims={**expected, "exp": int(time.time())})
        return json.loads(one.header).get("typ") == "at+jwt"

    return judge


def python_jose():
    from jose import jwt

    keys = fetch(JWKS_URI)

    def judge(token):
        options = {"require_exp": True, "require_iss": True, "require_aud": True, "leeway": 60}
        jwt.decode(token, keys, algorithms=[ALGORITHM], audience=AUDIENCE, issuer=ISSUER, options=options)
        return jwt.get_unverified_header(token).get("typ") == "at+jwt"

    return judge


def authlib_metadata(url):
    """RFC 8414 §2 and OpenID Connect Discovery §3, as Authlib reads them."""
    from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
    from authlib.oidc.discovery import OpenIDProviderMetadata

    kind = OpenIDProviderMetadata if url.endswith("openid-configuration") else AuthorizationServerMetadata
    kind(fetch(url)).validate()


JUDGES = {"authlib": authlib, "jwcrypto": jwcrypto, "python-jose": python_jose}

if sys.argv[1] == "authlib-metadata":
    authlib_metadata(sys.argv[2])
else:
    judge = JUDGES[sys.argv[1]]()
    for line in sys.stdin:
        try:
            verdict = "accept" if judge(line.rstrip("\n")) else "refuse"
        except Exception as error:
            verdict = "refuse"
            if os.environ.get("DEBUG"):
                print(error, file=sys.stderr)
        print(verdict, flush=True)
