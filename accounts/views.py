"""Signing in, and setting a first password."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.forms import SetPasswordForm
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from .forms import SignInForm
from .invitations import invited_user
from .models import Manager


class SignIn(LoginView):
    """The sign-in page; who is signed in goes on to the page of their role, or to `next` where that is ours."""

    authentication_form = SignInForm
    template_name = "accounts/sign_in.html"
    http_method_names = ["get", "head", "post"]

    def get(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        if request.user.is_authenticated and (address := self._address_of_role()):
            return redirect(self.get_redirect_url() or address)
        return super().get(request, *args, **kwargs)

    def get_default_redirect_url(self) -> str:
        return self._address_of_role() or reverse("sign-in")

    def _address_of_role(self) -> str | None:
        """Return the page of the user's role; None: they have none."""
        user = self.request.user
        if user.is_staff:
            return reverse("admin:index")
        return reverse("me") if user.is_authenticated and Manager.objects.filter(user=user).exists() else None


@sensitive_post_parameters("new_password1", "new_password2")
@csrf_protect
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, uidb64: str, token: str) -> HttpResponse:
    """Let an invited user set a password. Looking at the page changes nothing: mail programs look at links, too."""
    user = invited_user(uidb64, token)
    if user is None:
        return render(request, "accounts/invitation.html", {"form": None}, status=404)
    form = SetPasswordForm(user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, _("Your password is set. Sign in with it."))
        return redirect("sign-in")
    return render(request, "accounts/invitation.html", {"form": form, "invited": user})
