from django.contrib.auth.views import LogoutView
from django.urls import path
from django.views.generic import RedirectView

from . import preferences, views

urlpatterns = [
    path("", views.SignIn.as_view(), name="sign-in"),
    path(
        "admin", RedirectView.as_view(pattern_name="admin:index", http_method_names=["get", "head"])
    ),  # as people type it
    path("sign-out/", LogoutView.as_view(), name="sign-out"),
    path("language/", preferences.choose_language, name="language"),
    path("invitation/<str:uidb64>/<str:token>/", views.invitation, name="invitation"),
]
