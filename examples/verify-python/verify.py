"""Judges each line of standard input: accept or refuse. ISSUER=... AUDIENCE=... python3 verify.py"""
import os
import sys

import jwt

ISSUER, AUDIENCE = os.environ["ISSUER"], os.environ["AUDIENCE"]
KEYS = jwt.PyJWKClient(f"{ISSUER}/.well-known/jwks.json")


def verify(token):
    key = KEYS.get_signing_key_from_jwt(token).key
    # PyJWT checks no typ: without this a refresh token of an algorithm alike would be as good.
    if jwt.get_unverified_header(token).get("typ") != "at+jwt":
        raise jwt.InvalidTokenError("no access token")
    return jwt.decode(
        token,
        key,
        algorithms=["ES256"],
        issuer=ISSUER,
        audience=AUDIENCE,
        options={"require": ["exp", "iss", "aud", "sub"]},
    )


for line in sys.stdin:
    try:
        verify(line.rstrip("\n"))
        print("accept", flush=True)
    except Exception:
        print("refuse", flush=True)
