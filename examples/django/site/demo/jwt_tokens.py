"""Access tokens as JWTs (RFC 9068), which a resource server judges without asking anybody. Nor can they be revoked
there, so let them be short-lived."""

from time import time
from uuid import uuid4

from django.conf import settings
from jwcrypto.jwt import JWT
from oauth2_provider.oauth2_validators import OAuth2Validator
from oauth2_provider.settings import oauth2_settings
from oauth2_provider.utils import jwk_from_pem


def access_token(request):
    # The audience is otherwise settled only when the token is saved, which comes after this.
    OAuth2Validator()._check_and_set_request_resource(request)
    user = None if request.grant_type == "client_credentials" else request.user
    now, key = int(time()), jwk_from_pem(oauth2_settings.OIDC_RSA_PRIVATE_KEY)
    claims = {
        "iss": settings.MCP_ISSUER,
        "sub": user._meta.pk.value_to_string(user) if user else request.client.client_id,
        "client_id": request.client.client_id,
        "aud": request.resource,
        "scope": " ".join(request.scopes),
        "iat": now,
        "exp": now + request.expires_in,
        "jti": uuid4().hex,
    }
    token = JWT(header={"alg": "RS256", "typ": "at+jwt", "kid": key.thumbprint()}, claims=claims)
    token.make_signed_token(key)
    return token.serialize()
