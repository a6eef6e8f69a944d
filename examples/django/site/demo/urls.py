from django.contrib.auth.views import LoginView, LogoutView, PasswordChangeView
from django.urls import include, path, reverse_lazy
from django.views.generic import TemplateView
from oauth2_provider.urls import metadata_urlpatterns


def form(view, title, **options):
    return view.as_view(template_name="form.html", extra_context={"title": title}, **options)


urlpatterns = [
    path("", TemplateView.as_view(template_name="home.html"), name="home"),
    path("login/", form(LoginView, "Log in"), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("password/", form(PasswordChangeView, "Change password", success_url=reverse_lazy("home")), name="password"),
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
    path("rs/", include("rs.urls")),
    # RFC 8414 wants the document of the issuer https://host/o at /.well-known/oauth-authorization-server/o. The one
    # of the protected resource is not the toolkit's to give: its server gives it.
    *(pattern for pattern in metadata_urlpatterns if pattern.name.startswith("oauth-server-metadata")),
]
