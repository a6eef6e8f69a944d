"""Faults of the settings show when the site starts, not when the first caller is turned away."""

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import Error, Warning, register
from django.db import DatabaseError


@register
def rs_settings(app_configs, **kwargs):
    clients, issuer = getattr(settings, "MCP_RS_CLIENTS", None), getattr(settings, "MCP_ISSUER", None)
    faults = []
    if not isinstance(clients, (list, tuple)) or not all(client and isinstance(client, str) for client in clients):
        faults.append(Error("MCP_RS_CLIENTS must be a list of OAuth client ids; [] lets nobody in.", id="rs.E001"))
    if not (isinstance(issuer, str) and issuer.startswith(("https://", "http://"))):
        faults.append(Error("MCP_ISSUER must be the URL of this authorization server's issuer.", id="rs.E002"))
    return faults


@register
def scopes(app_configs, **kwargs):
    """The toolkit imports this class with the first request for a token, and answers that with 500 if it can not."""
    from oauth2_provider.models import get_application_model
    from oauth2_provider.scopes import get_scopes_backend

    application = get_application_model()
    try:
        offered = get_scopes_backend().get_available_scopes(application(client_type=application.CLIENT_PUBLIC))
    except ImportError as error:
        hint = "Copy examples/django/site/demo/scopes.py to yoursite/scopes.py, and name it here: yoursite.scopes.Scopes."
        return [Error(f"OAUTH2_PROVIDER['SCOPES_BACKEND_CLASS']: {error}", hint=hint, id="rs.E003")]
    except (DatabaseError, ValueError):
        return []  # one that keeps scopes in tables, which are not there yet or want a stored client
    if "introspection" not in offered:
        return []
    hint = "Name a SCOPES_BACKEND_CLASS that keeps it back, as examples/django/site/demo/scopes.py does."
    return [Warning("Public clients are offered the scope `introspection`.", hint=hint, id="rs.W001")]


class RsConfig(AppConfig):
    name = "rs"
    verbose_name = "Resource servers"
