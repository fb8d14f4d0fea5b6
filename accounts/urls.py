from django.contrib.auth.views import LogoutView
from django.urls import path
from django.views.generic import RedirectView

from . import views
from .people import preferences
from .time import feeds

urlpatterns = [
    path("calendar/<str:token>.ics", feeds.calendar, name="calendar"),
    path("", views.SignIn.as_view(), name="sign-in"),
    path(
        "admin", RedirectView.as_view(pattern_name="admin:index", http_method_names=["get", "head"])
    ),  # as people type it
    path(  # one door, one guard
        "admin/login/",
        RedirectView.as_view(pattern_name="sign-in", query_string=True, http_method_names=["get", "head"]),
    ),
    path("sign-in/code/", views.SignInCode.as_view(), name="sign-in-code"),
    path("second-factor/", views.second_factor_page, name="second-factor"),
    path("second-factor/qr.svg", views.second_factor_qr, name="second-factor-qr"),
    path("second-factor/off/", views.second_factor_off, name="second-factor-off"),
    path("second-factor/codes/", views.recovery_codes, name="recovery-codes"),
    path("second-factor/sign-out-elsewhere/", views.sign_out_elsewhere, name="sign-out-elsewhere"),
    path("prove/", views.prove, name="prove"),
    path("passkeys/ask/", views.passkey_ask, name="passkey-ask"),
    path("passkeys/offer/", views.passkey_offer, name="passkey-offer"),
    path("passkeys/add/", views.passkey_add, name="passkey-add"),
    path("passkeys/<int:passkey_id>/remove/", views.passkey_remove, name="passkey-remove"),
    path("sign-out/", LogoutView.as_view(), name="sign-out"),
    path("language/", preferences.choose_language, name="language"),
    path("invitation/<str:uidb64>/<str:token>/", views.invitation, name="invitation"),
]
