"""Who may ask for which scope. The toolkit's own answer is everybody for everything, asking about tokens included."""

from django.conf import settings
from oauth2_provider.scopes import SettingsScopes

ASKING = "introspection"


class Scopes(SettingsScopes):
    def get_available_scopes(self, application=None, request=None, *args, **kwargs):
        if resource_server(application):
            return [ASKING]
        return [scope for scope in self.get_all_scopes() if scope != ASKING]

    def get_default_scopes(self, application=None, request=None, *args, **kwargs):
        return [ASKING] if resource_server(application) else super().get_default_scopes()


def resource_server(application):
    """A public client has no secret to show: anybody could be it."""
    return (
        application is not None
        and application.client_type == application.CLIENT_CONFIDENTIAL
        and application.client_id in settings.MCP_RS_CLIENTS
    )
