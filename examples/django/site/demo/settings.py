"""A site with people and OAuth, set up by environment variables so that every way to store sessions can be tried.

SITE_URL         what browsers see, without a path (http://127.0.0.1:8000)
SECRET_KEY       required; SECRET_KEY_FALLBACKS may list older ones, separated by commas
DATABASE_NAME    an SQLite file (db.sqlite3 here), or with DATABASE_HOST a PostgreSQL database;
                 then also DATABASE_PORT, DATABASE_USER and DATABASE_PASSWORD
SESSION_ENGINE   django.contrib.sessions.backends.db, or another
REDIS_URL        the cache is there; REDIS_SERIALIZER is json (default) or pickle, which is Django's own
MCP_RS_CLIENTS   the client ids of resource servers, separated by commas (rs)
OPEN_REGISTRATION=1   anyone may register a client, which is what MCP clients that meet for the first time do
JWT_KEY_FILE     a PEM with an RSA key; access tokens are then JWTs, signed with it
"""

import os
import pathlib
from urllib.parse import urlsplit

SITE_URL = os.environ.get("SITE_URL", "http://127.0.0.1:8000").rstrip("/")
SECRET_KEY = os.environ["SECRET_KEY"]
SECRET_KEY_FALLBACKS = [key for key in os.environ.get("SECRET_KEY_FALLBACKS", "").split(",") if key]
DEBUG = False
# The second is for who asks from this machine and not through the proxy.
ALLOWED_HOSTS = [urlsplit(SITE_URL).hostname, "127.0.0.1"]
CSRF_TRUSTED_ORIGINS = [SITE_URL]
USE_TZ, TIME_ZONE = True, "UTC"
ROOT_URLCONF = "demo.urls"
WSGI_APPLICATION = "demo.wsgi.application"
LOGIN_URL, LOGIN_REDIRECT_URL, LOGOUT_REDIRECT_URL = "login", "home", "login"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
if SITE_URL.startswith("https://"):
    # The proxy in front sets this header itself, and so takes away whatever a client sent by that name.
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True

INSTALLED_APPS = [
    "demo",
    "rs",
    "oauth2_provider",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
            ]
        },
    }
]
AUTH_PASSWORD_VALIDATORS = [{"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"}]

if "DATABASE_HOST" in os.environ:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "CONN_MAX_AGE": 60,
            **{part: os.environ.get(f"DATABASE_{part}", "") for part in ("NAME", "HOST", "PORT", "USER", "PASSWORD")},
        }
    }
else:
    name = os.environ.get("DATABASE_NAME", pathlib.Path(__file__).parents[1] / "db.sqlite3")
    # WAL, so that a reader beside Django neither waits for it nor makes it wait.
    options = {"init_command": "PRAGMA journal_mode = WAL", "transaction_mode": "IMMEDIATE"}
    DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": name, "OPTIONS": options}}

SESSION_ENGINE = os.environ.get("SESSION_ENGINE", "django.contrib.sessions.backends.db")
REDIS_SERIALIZER = os.environ.get("REDIS_SERIALIZER", "json")
if "REDIS_URL" in os.environ:
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": os.environ["REDIS_URL"],
            # Nothing but Python should read a pickle, and nothing at all one that others can write.
            "OPTIONS": {"serializer": "demo.cache.JSONSerializer"} if REDIS_SERIALIZER == "json" else {},
        }
    }

MCP_RS_CLIENTS = [client for client in os.environ.get("MCP_RS_CLIENTS", "rs").split(",") if client]
MCP_ISSUER = f"{SITE_URL}/o"

OAUTH2_PROVIDER = {
    "OIDC_ISS_ENDPOINT": MCP_ISSUER,
    "SCOPES": {
        "mcp:tools": "Call tools in your name",
        "notes": "Read and write your notes",
        "introspection": "Ask about other tokens",
    },
    "DEFAULT_SCOPES": ["mcp:tools"],
    "SCOPES_BACKEND_CLASS": "demo.scopes.Scopes",
    "ACCESS_TOKEN_EXPIRE_SECONDS": 3600,
    "REFRESH_TOKEN_EXPIRE_SECONDS": 14 * 24 * 3600,
    "REFRESH_TOKEN_REUSE_PROTECTION": True,
    "PKCE_REQUIRED": True,
    "ALLOWED_SCHEMES": ["https", "http"] if SITE_URL.startswith("http://") else ["https"],
    # What the metadata says, so that clients do not try what is refused. `none` is how public clients come.
    "OAUTH2_RESPONSE_TYPES_SUPPORTED": ["code"],
    "OAUTH2_GRANT_TYPES_SUPPORTED": ["authorization_code", "refresh_token", "client_credentials"],
    "OAUTH2_TOKEN_ENDPOINT_AUTH_METHODS_SUPPORTED": ["none", "client_secret_basic", "client_secret_post"],
    "DCR_ENABLED": os.environ.get("OPEN_REGISTRATION") == "1",
    "DCR_REGISTRATION_PERMISSION_CLASSES": ("oauth2_provider.dcr.AllowAllDCRPermission",),
    # RFC 9700: all of them become the default in django-oauth-toolkit 4.0.
    "COMPLIANT_BCP_RFC9700_IMPLICIT_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PASSWORD_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PKCE_METHOD": True,
    "COMPLIANT_BCP_RFC9700_ACCESS_TOKEN_TRANSPORT": True,
    "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True,
    "COMPLIANT_BCP_RFC9700_TOKEN_STORAGE": True,
}
if "JWT_KEY_FILE" in os.environ:
    OAUTH2_PROVIDER |= {
        "OIDC_ENABLED": True,
        "OIDC_RSA_PRIVATE_KEY": pathlib.Path(os.environ["JWT_KEY_FILE"]).read_text(),
        "ACCESS_TOKEN_GENERATOR": "demo.jwt_tokens.access_token",
        # Without this one the refresh token would be made by the line above, and pass as an access token.
        "REFRESH_TOKEN_GENERATOR": "oauthlib.oauth2.rfc6749.tokens.random_token_generator",
        "ACCESS_TOKEN_EXPIRE_SECONDS": int(os.environ.get("JWT_SECONDS", "300")),
    }
