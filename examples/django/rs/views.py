"""Whose session, whose token? Two answers for a resource server that shares this site's people.

POST session=<value of the session cookie>   to session/
POST token=<access token>                    to introspect/

Both want `Authorization: Bearer <token>`, and that token from client_credentials, with the scope `introspection`
and no other, of a client in MCP_RS_CLIENTS. They answer JSON in the shape of RFC 7662, `{"active": false}` for
whatever is not good now, with `"anonymous": true` for a session in which nobody is logged in. Asking changes nothing:
no session is renewed, rotated, saved or ended.
"""

import hashlib
import re
from datetime import datetime, timezone
from functools import wraps
from importlib import import_module
from time import time

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model, load_backend
from django.core import signing
from django.core.exceptions import ValidationError
from django.http import JsonResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import cache_control
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_POST
from oauth2_provider.compat import login_not_required
from oauth2_provider.models import get_access_token_model
from oauthlib.common import Request

BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE)
# What Django makes is 32 characters long; 8 is the least that it reads back, and 40 the width of its column.
KEY = re.compile(r"[a-z0-9]{8,40}")
SIGNED_COOKIES = "django.contrib.sessions.backends.signed_cookies"


def for_resource_servers(field):
    """The view gets the one value of that form field, once the caller has shown that it may ask."""

    def decorate(view):
        @cache_control(no_store=True)
        @csrf_exempt  # no cookie counts here, so there is nothing that a foreign page could borrow
        @login_not_required
        @require_POST
        @sensitive_post_parameters(field)
        @wraps(view)
        def guarded(request):
            credential = BEARER.fullmatch(request.headers.get("Authorization", ""))
            caller = credential and usable_token(credential[1], request)
            if not caller:
                unknown = {"WWW-Authenticate": 'Bearer error="invalid_token"' if credential else "Bearer"}
                return JsonResponse({"error": "invalid_token"}, status=401, headers=unknown)
            # A person's token is nobody's business card, whatever it lists: every client may ask for every scope.
            allowed = caller.user_id is None and caller.application.client_id in settings.MCP_RS_CLIENTS
            if not allowed or caller.scope.split() != ["introspection"]:
                return JsonResponse({"error": "insufficient_scope"}, status=403)
            values = request.POST.getlist(field)
            if len(values) != 1 or not values[0]:
                return JsonResponse({"error": "invalid_request", "needs": field}, status=400)
            return JsonResponse(view(request, values[0]) or {"active": False})

        return guarded

    return decorate


@for_resource_servers("session")
@sensitive_variables()
def session(request, key):
    """Who is logged in by this cookie, until when, and the names of their groups."""
    data, expires = read(key)
    if expires <= time():
        return None
    if SESSION_KEY not in data:
        return {"active": False, "anonymous": True}
    user = owner(data)
    if user is None:
        return None
    groups = user.groups.order_by("name").values_list("name", flat=True) if hasattr(user, "groups") else ()
    return {"active": True, **person(user), "exp": int(expires), "groups": list(groups)}


@for_resource_servers("token")
@sensitive_variables()
def introspect(request, value):
    """What RFC 7662 has for it, of access tokens only; the scope is for the caller to judge, and so is the audience."""
    token = usable_token(value, request)
    if token is None or (token.user is not None and not token.user.is_active):
        return None
    facts = {"client_id": token.application.client_id, "scope": token.scope, "exp": int(token.expires.timestamp())}
    audience = {"aud": token.resource} if token.resource else {}
    who = person(token.user) if token.user else {"iss": settings.MCP_ISSUER}
    return {"active": True, "token_type": "Bearer", **facts, **audience, **who}


def person(user):
    return {"iss": settings.MCP_ISSUER, "sub": user._meta.pk.value_to_string(user), "username": user.get_username()}


@sensitive_variables()
def usable_token(value, request):
    """The row by its checksum, because the column with the token itself may be empty; None if it is of no use."""
    checksum = hashlib.sha256(value.encode()).hexdigest()
    rows = get_access_token_model().objects.select_related("user", "application")
    token = rows.filter(token_checksum=checksum).first()
    if token is None or token.is_expired() or token.application is None:
        return None
    return token if token.application.is_usable(Request(request.path)) else None


@sensitive_variables()
def read(key):
    """The data of a session and the unix time of its end; ({}, 0) for none. By whichever engine the site has."""
    signed = settings.SESSION_ENGINE == SIGNED_COOKIES
    if not (signed or KEY.fullmatch(key)):
        return {}, 0
    store = import_module(settings.SESSION_ENGINE).SessionStore(key)
    for change in ("create", "save", "delete", "flush", "cycle_key"):
        setattr(store, change, lambda *_, **__: None)  # the engine for files deletes and creates while it loads
    data = store.load()
    if not (isinstance(data, dict) and data):
        return {}, 0
    if hasattr(store, "get_model_class"):
        # The row decides even where a cache answers first.
        rows = store.get_model_class().objects.filter(session_key=key).values_list("expire_date", flat=True)
        expires = rows.first()
        return (data, expires.timestamp()) if expires else ({}, 0)
    since = signing.b62_decode(key.split(":")[-2]) if signed else time()
    if since > time():
        return {}, 0
    try:
        # Caches and files do not tell their end: for those this is the latest that it can be.
        since = datetime.fromtimestamp(since, timezone.utc)
        return data, store.get_expiry_date(modification=since, expiry=data.get("_session_expiry")).timestamp()
    except (TypeError, ValueError, OverflowError):
        return {}, 0


@sensitive_variables()
def owner(data):
    """The user of a session. Django's own get_user() would end a bad session and renew one of an older key."""
    claimed, backend, proof = (data.get(name) for name in (SESSION_KEY, BACKEND_SESSION_KEY, HASH_SESSION_KEY))
    if not (isinstance(proof, str) and claimed and proof and backend in settings.AUTHENTICATION_BACKENDS):
        return None
    try:
        user = load_backend(backend).get_user(get_user_model()._meta.pk.to_python(claimed))
    except ValidationError:
        return None
    # Not every backend looks at is_active, and " 1" would be read as 1.
    if user is None or not user.is_active or user._meta.pk.value_to_string(user) != str(claimed):
        return None
    proofs = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    return user if any([constant_time_compare(proof, known) for known in proofs]) else None
