#!/usr/bin/env python3
"""Prints an assertion for one request, for the header x-mcp-proxy-session-token. Standard library only.

    MCP_PROXY_KEY=... assertion.py PROXY AUDIENCE SUBJECT [BODY]

BODY is a file with the request's body, which the assertion then counts for alone.
"""

import base64
import hashlib
import hmac
import json
import os
import secrets
import sys
import time

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def assertion(key, proxy, audience, subject, body=None):
    claims = {"sub": subject, "aud": audience, "prx": proxy, "jti": secrets.token_hex(16)}
    if body is not None:
        claims["bdy"] = base64url(hashlib.sha256(body).digest())
    payload = base64url(json.dumps(claims, separators=(",", ":")).encode())
    value = f"{payload}:{base62(int(time.time()))}"
    mac_key = hashlib.sha256(b"mcp.proxy-session.v1" + b"signer" + key.encode()).digest()
    return f"{value}:{base64url(hmac.digest(mac_key, value.encode(), 'sha256'))}"


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def base62(number):
    digits = ""
    while number:
        number, digit = divmod(number, 62)
        digits = DIGITS[digit] + digits
    return digits


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5) or "MCP_PROXY_KEY" not in os.environ:
        sys.exit(__doc__.strip())
    body = None
    if len(sys.argv) == 5:
        with open(sys.argv[4], "rb") as file:
            body = file.read()
    print(assertion(os.environ["MCP_PROXY_KEY"], *sys.argv[1:4], body))
