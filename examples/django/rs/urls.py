from django.urls import path

from . import views

app_name = "rs"
urlpatterns = [
    path("session/", views.session, name="session"),
    path("introspect/", views.introspect, name="introspect"),
]
