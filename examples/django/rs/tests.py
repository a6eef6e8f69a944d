"""Every refusal here has its acceptance beside it, so that a test does not pass because nothing works."""

import tempfile
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from unittest import mock

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session
from django.core import signing
from django.core.cache import cache
from django.db import OperationalError
from django.test import Client, SimpleTestCase, TestCase, override_settings
from django.urls import include, path
from django.utils import timezone
from oauth2_provider.models import get_access_token_model, get_application_model, get_refresh_token_model
from oauth2_provider.scopes import SettingsScopes

from .apps import rs_settings, scopes

Application, AccessToken, RefreshToken = get_application_model(), get_access_token_model(), get_refresh_token_model()
User = get_user_model()
MODEL_BACKEND = "django.contrib.auth.backends.ModelBackend"
ENGINES = "django.contrib.sessions.backends."
ISSUER = "https://www.example.com/o"
FOLDER = tempfile.mkdtemp(prefix="rs-tests-")

urlpatterns = [path("rs/", include("rs.urls"))]


@override_settings(
    ROOT_URLCONF="rs.tests",
    MCP_RS_CLIENTS=["rs"],
    MCP_ISSUER=ISSUER,
    AUTHENTICATION_BACKENDS=[MODEL_BACKEND],
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    SESSION_ENGINE=ENGINES + "db",
    SESSION_FILE_PATH=FOLDER,
    SECRET_KEY_FALLBACKS=[],
    CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
)
class Views(TestCase):
    def setUp(self):
        cache.clear()
        self.alice = User.objects.create_user("alice", password="first")
        self.bob = User.objects.create_user("bob", password="first")
        self.alice.groups.add(Group.objects.create(name="writers"), Group.objects.create(name="editors"))
        self.rs = Application.objects.create(
            client_id="rs", client_type="confidential", authorization_grant_type="client-credentials"
        )
        self.app = Application.objects.create(
            client_id="app",
            client_type="public",
            authorization_grant_type="authorization-code",
            redirect_uris="https://app.example.com/",
        )
        self.caller = self.token("caller", self.rs, "introspection")

    def token(self, value, application, scope, seconds=600, **fields):
        expires = timezone.now() + timedelta(seconds=seconds)
        row = AccessToken.objects.create(token=value, application=application, scope=scope, expires=expires, **fields)
        # As in installations that keep only the checksum, which the line above has made.
        AccessToken.objects.filter(pk=row.pk).update(token="")
        return value

    def post(self, view, fields, bearer="caller", **more):
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        return Client(enforce_csrf_checks=True).post(f"/rs/{view}/", fields, headers=headers, **more)

    def answer(self, view, **fields):
        response = self.post(view, fields)
        self.assertEqual(response.status_code, 200, response.content)
        self.assertIn("no-store", response["Cache-Control"])
        return response.json()

    def log_in(self, user=None, **changes):
        """The cookie of a session as Django's login makes it, with changes to its data; None removes a key."""
        user = user or self.alice
        store = import_module(settings.SESSION_ENGINE).SessionStore()
        data = {
            SESSION_KEY: str(user.pk),
            BACKEND_SESSION_KEY: MODEL_BACKEND,
            HASH_SESSION_KEY: user.get_session_auth_hash(),
            **changes,
        }
        store.update({key: value for key, value in data.items() if value is not None})
        store.save()
        return store.session_key

    def assertActive(self, key, user=None):
        self.assertEqual(self.answer("session", session=key).get("sub"), str((user or self.alice).pk))

    def assertInactive(self, key):
        self.assertEqual(self.answer("session", session=key), {"active": False})


class Callers(Views):
    """Who may ask at all, the same for both views."""

    def status(self, bearer, **fields):
        answers = [
            self.post("session", {"session": "a" * 32} | fields, bearer),
            self.post("introspect", {"token": "unknown"} | fields, bearer),
        ]
        self.assertEqual(*[response.status_code for response in answers])
        for response in answers:
            self.assertIn("no-store", response["Cache-Control"])
            self.assertEqual(response["Content-Type"], "application/json")
        return answers[0].status_code

    def test_an_allowed_client(self):
        self.assertEqual(self.status("caller"), 200)

    def test_the_scheme_in_any_case_and_nothing_else(self):
        for header, status in {
            "bearer caller": 200,
            "BEARER  caller": 200,
            "Bearer": 401,
            "Bearer caller, Bearer caller": 401,
            "Bearer\tcaller": 401,
            "Basic cnM6c2VjcmV0": 401,
            "caller": 401,
        }.items():
            response = self.client.post("/rs/session/", {"session": "a" * 32}, headers={"Authorization": header})
            self.assertEqual(response.status_code, status, header)

    def test_nobody(self):
        response = self.post("session", {"session": self.log_in()}, bearer=None)
        self.assertEqual((response.status_code, response["WWW-Authenticate"]), (401, "Bearer"))
        self.assertEqual(self.status(None), 401)

    def test_a_token_that_is_unknown_or_expired(self):
        self.assertEqual(self.status("unknown"), 401)
        self.assertEqual(self.status(self.token("old", self.rs, "introspection", -1)), 401)

    def test_a_client_that_is_not_listed(self):
        other = Application.objects.create(
            client_id="rs2", client_type="confidential", authorization_grant_type="client-credentials"
        )
        self.assertEqual(self.status(self.token("other", other, "introspection")), 403)
        with self.settings(MCP_RS_CLIENTS=["rs2"]):
            self.assertEqual(self.status("other"), 200)

    def test_a_persons_token_of_the_client(self):
        self.assertEqual(self.status(self.token("person", self.rs, "introspection", user=self.alice)), 403)

    def test_other_scopes(self):
        for number, scope in enumerate(("", "mcp:tools", "introspection notes", "introspection2")):
            self.assertEqual(self.status(self.token(f"scope{number}", self.rs, scope)), 403, scope)

    def test_a_client_that_is_no_longer_usable(self):
        with mock.patch.object(Application, "is_usable", lambda self, request: False):
            self.assertEqual(self.status("caller"), 401)

    def test_a_session_instead_of_a_token(self):
        browser = Client()
        browser.cookies["sessionid"] = self.log_in()
        self.assertEqual(browser.post("/rs/session/", {"session": self.log_in()}).status_code, 401)

    def test_other_methods(self):
        for method in ("get", "put", "delete", "options"):
            response = getattr(self.client, method)("/rs/session/", headers={"Authorization": "Bearer caller"})
            self.assertEqual(response.status_code, 405, method)

    def test_a_form_without_the_field_or_with_two(self):
        for view, field in (("session", "session"), ("introspect", "token")):
            for fields in ({}, {field: ""}, {field: ["a" * 32, "b" * 32]}):
                self.assertEqual(self.post(view, fields).status_code, 400, fields)
            body = f'{{"{field}": "{"a" * 32}"}}'
            self.assertEqual(self.post(view, body, content_type="application/json").status_code, 400)
            query = self.client.post(f"/rs/{view}/?{field}=a", headers={"Authorization": "Bearer caller"})
            self.assertEqual(query.status_code, 400)


class Sessions(Views):
    def test_who_and_until_when(self):
        key = self.log_in()
        expires = Session.objects.get(session_key=key).expire_date
        who = {"iss": ISSUER, "sub": str(self.alice.pk), "username": "alice", "groups": ["editors", "writers"]}
        self.assertEqual(self.answer("session", session=key), {"active": True, "exp": int(expires.timestamp()), **who})

    def test_no_such_session(self):
        self.assertActive(key := self.log_in())
        self.assertInactive("a" * 32)
        for other in (key.upper(), key[:7], f" {key}", f"{key}\0", "ключ" * 8, "../" + key, "a" * 9000):
            # Nor does it get as far as a database or a cache, some of which choke on it.
            with mock.patch(ENGINES + "db.SessionStore.load", side_effect=AssertionError(other)):
                self.assertInactive(other)

    def test_a_session_in_which_nobody_is_logged_in(self):
        nobody = {SESSION_KEY: None, BACKEND_SESSION_KEY: None, HASH_SESSION_KEY: None}
        key = self.log_in(cart=["tea"], **nobody)
        self.assertEqual(self.answer("session", session=key), {"active": False, "anonymous": True})
        Session.objects.update(expire_date=timezone.now())
        self.assertInactive(key)

    def test_expired(self):
        key = self.log_in()
        Session.objects.update(expire_date=timezone.now())
        self.assertInactive(key)

    def test_after_a_password_change(self):
        key = self.log_in()
        self.alice.set_password("second")
        self.alice.save()
        self.assertInactive(key)
        self.assertActive(self.log_in())

    def test_an_inactive_user_whatever_the_backend_thinks(self):
        everybody = "django.contrib.auth.backends.AllowAllUsersModelBackend"
        with self.settings(AUTHENTICATION_BACKENDS=[MODEL_BACKEND, everybody]):
            keys = [self.log_in(), self.log_in(**{BACKEND_SESSION_KEY: everybody})]
            for key in keys:
                self.assertActive(key)
            User.objects.filter(pk=self.alice.pk).update(is_active=False)
            for key in keys:
                self.assertInactive(key)

    def test_a_deleted_user(self):
        key = self.log_in()
        self.alice.delete()
        self.assertInactive(key)

    def test_data_that_do_not_fit_together(self):
        for changes in (
            {HASH_SESSION_KEY: self.bob.get_session_auth_hash()},
            {HASH_SESSION_KEY: None},
            {HASH_SESSION_KEY: ""},
            {HASH_SESSION_KEY: True},
            {BACKEND_SESSION_KEY: "django.contrib.auth.backends.RemoteUserBackend"},
            {BACKEND_SESSION_KEY: None},
            {SESSION_KEY: str(self.bob.pk)},
            {SESSION_KEY: [self.alice.pk]},
            {SESSION_KEY: True},
            {SESSION_KEY: f" {self.alice.pk} "},
            {SESSION_KEY: f"0{self.alice.pk}"},
            {SESSION_KEY: "alice"},
            {SESSION_KEY: "9" * 40},
            {SESSION_KEY: ""},
        ):
            with self.subTest(changes):
                self.assertInactive(self.log_in(**changes))

    def test_an_id_that_is_a_number(self):
        self.assertActive(self.log_in(**{SESSION_KEY: self.alice.pk}))

    def test_an_older_key_while_it_is_listed(self):
        with self.settings(SECRET_KEY="old"):
            key = self.log_in()
        self.assertInactive(key)
        with self.settings(SECRET_KEY_FALLBACKS=["older", "old"]):
            self.assertActive(key)
            before = Session.objects.get(session_key=key).session_data
            self.assertActive(key)
            self.assertEqual(Session.objects.get(session_key=key).session_data, before)

    def test_asking_changes_nothing(self):
        bad = self.log_in(**{HASH_SESSION_KEY: "0" * 64})
        anonymous = self.log_in(**{SESSION_KEY: None})
        good = self.log_in()
        rows = sorted(Session.objects.values_list("session_key", "session_data", "expire_date"))
        with self.settings(SESSION_SAVE_EVERY_REQUEST=True):
            for key in (good, bad, anonymous, "b" * 32):
                response = self.post("session", {"session": key})
                self.assertNotIn("sessionid", response.cookies)
        self.assertEqual(sorted(Session.objects.values_list("session_key", "session_data", "expire_date")), rows)
        self.assertIsNone(User.objects.get(pk=self.alice.pk).last_login)


class Engines(Views):
    """The same questions to each engine, then what is special about it."""

    def questions(self):
        good, other = self.log_in(), self.log_in(self.bob)
        self.assertActive(good)
        self.assertActive(other, self.bob)
        self.assertInactive(self.log_in(**{HASH_SESSION_KEY: self.bob.get_session_auth_hash()}))
        self.assertInactive("a" * 32)
        self.assertInactive(good[:-1] + ("a" if good[-1] != "a" else "b"))
        self.bob.set_password("second")
        self.bob.save()
        self.assertInactive(other)
        User.objects.filter(pk=self.alice.pk).update(is_active=False)
        self.assertInactive(good)

    @override_settings(SESSION_ENGINE=ENGINES + "cache")
    def test_cache(self):
        self.questions()

    @override_settings(SESSION_ENGINE=ENGINES + "cached_db")
    def test_cached_db(self):
        self.questions()

    @override_settings(SESSION_ENGINE=ENGINES + "cached_db")
    def test_cached_db_believes_the_row(self):
        self.assertActive(key := self.log_in())
        Session.objects.filter(session_key=key).delete()
        self.assertInactive(key)

    @override_settings(SESSION_ENGINE=ENGINES + "file")
    def test_file(self):
        self.questions()

    @override_settings(SESSION_ENGINE=ENGINES + "file")
    def test_file_keeps_what_has_expired(self):
        self.log_in(_session_expiry=-1)
        key = self.log_in(_session_expiry=-1)
        files = sorted(Path(FOLDER).iterdir())
        self.assertInactive(key)
        self.assertEqual(sorted(Path(FOLDER).iterdir()), files)

    @override_settings(SESSION_ENGINE=ENGINES + "signed_cookies")
    def test_signed_cookies(self):
        self.questions()

    @override_settings(SESSION_ENGINE=ENGINES + "signed_cookies", SESSION_COOKIE_AGE=1000)
    def test_signed_cookies_by_their_age(self):
        now = int(timezone.now().timestamp())

        def made(at, **changes):
            with mock.patch("django.core.signing.time.time", return_value=at):
                return self.log_in(**changes)

        self.assertEqual(self.answer("session", session=made(now - 900))["exp"], now + 100)
        self.assertInactive(made(now - 1100))
        self.assertInactive(made(now + 500))
        # Django itself looks at the age alone here.
        self.assertActive(made(now - 900, _session_expiry=950))
        self.assertInactive(made(now - 900, _session_expiry=850))
        self.assertInactive(made(now, _session_expiry="never"))
        self.assertInactive(made(now, _session_expiry=[1]))

    @override_settings(SESSION_ENGINE=ENGINES + "signed_cookies")
    def test_signed_cookies_of_another_salt_or_without_a_time(self):
        data = {SESSION_KEY: str(self.alice.pk), BACKEND_SESSION_KEY: MODEL_BACKEND}
        data |= {HASH_SESSION_KEY: self.alice.get_session_auth_hash()}
        self.assertInactive(signing.dumps(data))
        self.assertInactive(signing.Signer(salt=ENGINES + "signed_cookies").sign_object(data))
        self.assertActive(signing.dumps(data, salt=ENGINES + "signed_cookies"))


class Tokens(Views):
    resource = ["https://mcp.example.com/mcp"]

    def test_what_a_token_is_good_for(self):
        value = self.token("good", self.app, "mcp:tools notes", user=self.alice, resource=self.resource)
        row = AccessToken.objects.get(scope="mcp:tools notes")
        self.assertEqual(
            self.answer("introspect", token=value),
            {
                "active": True,
                "token_type": "Bearer",
                "iss": ISSUER,
                "sub": str(self.alice.pk),
                "username": "alice",
                "client_id": "app",
                "scope": "mcp:tools notes",
                "aud": self.resource,
                "exp": int(row.expires.timestamp()),
            },
        )

    def assertUseless(self, value):
        self.assertEqual(self.answer("introspect", token=value), {"active": False})

    def test_unknown_expired_or_empty(self):
        for value in ("unknown", " ", "ü\0\ud7ff", "x" * 100_000):
            self.assertUseless(value)
        self.assertUseless(self.token("old", self.app, "mcp:tools", 0, user=self.alice))

    def test_a_refresh_token(self):
        RefreshToken.objects.create(user=self.alice, application=self.app, token="refresh")
        self.assertUseless("refresh")

    def test_an_inactive_user(self):
        value = self.token("good", self.app, "mcp:tools", user=self.alice)
        self.assertTrue(self.answer("introspect", token=value)["active"])
        User.objects.filter(pk=self.alice.pk).update(is_active=False)
        self.assertUseless(value)

    def test_an_application_that_is_gone_or_unusable(self):
        self.assertUseless(self.token("orphan", None, "mcp:tools", user=self.alice))
        value = self.token("good", self.app, "mcp:tools", user=self.alice)
        with mock.patch.object(Application, "is_usable", lambda self, request: self.client_id == "rs"):
            self.assertUseless(value)
        self.assertTrue(self.answer("introspect", token=value)["active"])

    def test_no_audience_is_told_as_none(self):
        self.assertNotIn("aud", self.answer("introspect", token=self.token("any", self.app, "notes", user=self.alice)))

    def test_a_client_is_not_a_person(self):
        """An application may be called "1", and so may a user be."""
        answer = self.answer("introspect", token="caller")
        self.assertEqual((answer["client_id"], answer["scope"]), ("rs", "introspection"))
        self.assertEqual(answer.keys() & {"sub", "username"}, set())

    def test_a_registration_token_tells_by_its_scope(self):
        value = self.token("registration", self.app, "oauth2_provider:registration", user=self.alice)
        self.assertEqual(self.answer("introspect", token=value)["scope"], "oauth2_provider:registration")

    def test_asking_changes_nothing(self):
        self.token("old", self.app, "mcp:tools", -5, user=self.alice)
        rows = list(AccessToken.objects.order_by("pk").values())
        for value in ("old", "caller", "unknown"):
            self.answer("introspect", token=value)
        self.assertEqual(list(AccessToken.objects.order_by("pk").values()), rows)


class Settings(SimpleTestCase):
    def faults(self, **values):
        with override_settings(**{"MCP_RS_CLIENTS": ["rs"], "MCP_ISSUER": ISSUER, **values}):
            return [fault.id for fault in rs_settings(None)]

    def test_what_the_checks_find(self):
        self.assertEqual(self.faults(), [])
        self.assertEqual(self.faults(MCP_RS_CLIENTS=[]), [])
        self.assertEqual(self.faults(MCP_RS_CLIENTS="rs"), ["rs.E001"])
        self.assertEqual(self.faults(MCP_RS_CLIENTS=[""]), ["rs.E001"])
        self.assertEqual(self.faults(MCP_ISSUER="www.example.com"), ["rs.E002"])

    def faults_of_scopes(self, backend, **values):
        with override_settings(OAUTH2_PROVIDER={"SCOPES_BACKEND_CLASS": backend, **values}):
            return [(fault.id, fault.is_serious()) for fault in scopes(None)]

    def test_a_scopes_backend_that_is_not_there(self):
        for backend in ("nowhere.scopes.Scopes", "rs.tests.Missing"):
            self.assertEqual(self.faults_of_scopes(backend), [("rs.E003", True)], backend)

    def test_introspection_for_public_clients(self):
        everything = {"SCOPES": {"mcp:tools": "Call tools", "introspection": "Ask about other tokens"}}
        toolkit = "oauth2_provider.scopes.SettingsScopes"
        self.assertEqual(self.faults_of_scopes(toolkit, **everything), [("rs.W001", False)])
        self.assertEqual(self.faults_of_scopes(toolkit, SCOPES={"mcp:tools": "Call tools"}), [])
        self.assertEqual(self.faults_of_scopes("rs.tests.Careful", **everything), [])

    def test_a_scopes_backend_that_wants_its_tables(self):
        self.assertEqual(self.faults_of_scopes("rs.tests.InTables"), [])


class Careful(SettingsScopes):
    def get_available_scopes(self, application=None, request=None, *args, **kwargs):
        return [] if application.client_type == application.CLIENT_PUBLIC else ["introspection"]


class InTables(SettingsScopes):
    def get_available_scopes(self, application=None, request=None, *args, **kwargs):
        raise OperationalError("no such table")
