"""People and clients to try things with. Prints them as JSON, the only time that their secrets are shown."""

import json

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.management.base import BaseCommand
from django.utils.crypto import get_random_string
from oauth2_provider.models import get_application_model

# Where the Inspector's web page and its command line wait for the browser to come back.
CALLBACKS = [f"http://{host}/oauth/callback" for host in ("127.0.0.1:6274", "localhost:6274", "127.0.0.1:6276")]


class Command(BaseCommand):
    help = "Makes alice, bob and carol (inactive), and the clients rs and browser. Again: they get new secrets."

    def add_arguments(self, parser):
        parser.add_argument("--redirect", action="append", metavar="URI", help="a redirect URI of the client browser")

    def handle(self, *args, redirect=None, **options):
        people = {name: person(name, active=name != "carol") for name in ("alice", "bob", "carol")}
        editors, _ = Group.objects.get_or_create(name="editors")
        editors.user_set.add(get_user_model().objects.get(username="alice"))
        kinds = get_application_model()
        secret = get_random_string(50)
        # The first of the allow-listed clients, in case somebody calls it other than `rs`.
        resource_server = client(
            settings.MCP_RS_CLIENTS[0] if settings.MCP_RS_CLIENTS else "rs",
            client_type=kinds.CLIENT_CONFIDENTIAL,
            authorization_grant_type=kinds.GRANT_CLIENT_CREDENTIALS,
            client_secret=secret,
        )
        browser = client(
            "browser",
            client_type=kinds.CLIENT_PUBLIC,
            authorization_grant_type=kinds.GRANT_AUTHORIZATION_CODE,
            redirect_uris=" ".join(redirect or CALLBACKS),
        )
        made = {
            "issuer": settings.MCP_ISSUER,
            "users": people,
            "clients": {
                "rs": {"client_id": resource_server.client_id, "client_secret": secret},
                "browser": {"client_id": browser.client_id, "redirect_uris": browser.redirect_uris.split()},
            },
        }
        self.stdout.write(json.dumps(made, indent=2))


def person(name, active):
    user, _ = get_user_model().objects.get_or_create(username=name)
    password = get_random_string(20)
    user.set_password(password)
    user.is_active = active
    user.save()
    return {"id": str(user.pk), "password": password, "active": active}


def client(client_id, **fields):
    """The public one gets a secret too that nobody knows: an empty one would be as good as none at the toolkit's own
    introspection."""
    application, _ = get_application_model().objects.get_or_create(client_id=client_id)
    for field, value in {"name": client_id, **fields}.items():
        setattr(application, field, value)
    application.full_clean()
    application.save()
    return application
