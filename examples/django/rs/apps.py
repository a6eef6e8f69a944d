"""Faults of the settings show when the site starts, not when the first caller is turned away."""

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import Error, register


@register
def rs_settings(app_configs, **kwargs):
    clients, issuer = getattr(settings, "MCP_RS_CLIENTS", None), getattr(settings, "MCP_ISSUER", None)
    faults = []
    if not isinstance(clients, (list, tuple)) or not all(client and isinstance(client, str) for client in clients):
        faults.append(Error("MCP_RS_CLIENTS must be a list of OAuth client ids; [] lets nobody in.", id="rs.E001"))
    if not (isinstance(issuer, str) and issuer.startswith(("https://", "http://"))):
        faults.append(Error("MCP_ISSUER must be the URL of this authorization server's issuer.", id="rs.E002"))
    return faults


class RsConfig(AppConfig):
    name = "rs"
    verbose_name = "Resource servers"
