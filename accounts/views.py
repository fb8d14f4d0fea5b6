"""Signing in by password and second factor, and setting a first password."""

from __future__ import annotations

import time
from io import BytesIO
from typing import Any, cast
from urllib.parse import urlencode, urlsplit

from axes.handlers.proxy import AxesProxyHandler
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import authenticate, login, update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import SetPasswordForm
from django.contrib.auth.views import LoginView, RedirectURLMixin
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.crypto import constant_time_compare
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.generic import FormView
from django_otp import login as mark_verified
from django_otp.qr import write_qrcode_image

from .forms import CodeForm, PasskeyForm, PasswordForm, SignInForm
from .models import Account, Manager, User
from .people.invitations import user_of_invitation
from .security import passkeys, presence, second_factor
from .security.addresses import client_address
from .security.limits import limits
from .security.presence import present_only
from .services import note_new_password
from .time import clock

BACKEND = "django.contrib.auth.backends.ModelBackend"
CODE_SECONDS = 300  # between the password and the second factor


class RoleRedirect(RedirectURLMixin):
    """Who is signed in goes on to the page of their role, or to `next` where that is ours."""

    request: HttpRequest

    def get_redirect_url(self) -> str:  # type: ignore[override]  # the stubs know of a request that Django does not take
        """Return `next`, but no page of the admin to who may not use it: they would be sent back here for ever."""
        address = super().get_redirect_url()
        if not (
            address and self.request.user.is_authenticated and not self.request.user.is_staff and in_admin(address)
        ):
            return address
        messages.warning(self.request, _("You cannot use the admin. Ask an administrator if you need it."))
        return ""

    def get_default_redirect_url(self) -> str:
        return self._address_of_role() or reverse("sign-in")

    def _address_of_role(self) -> str | None:
        """Return the page of the user's role; None: they have none."""
        user = self.request.user
        if user.is_staff:
            return reverse("admin:index")
        return reverse("me") if user.is_authenticated and Manager.objects.filter(user=user).exists() else None


def in_admin(address: str) -> bool:
    path = urlsplit(address).path
    return path == "/admin" or path.startswith(reverse("admin:index"))


class SignIn(RoleRedirect, LoginView):
    """The sign-in page. Nobody is signed in before the second factor, where they have one."""

    authentication_form = SignInForm
    template_name = "accounts/sign_in.html"
    http_method_names = ["get", "head", "post"]

    def get(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        if request.user.is_authenticated and (address := self._address_of_role()):
            return redirect(self.get_redirect_url() or address)
        return super().get(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        wait = limits.wait(f"sign-in:{client_address(request)}", limit=settings.SIGN_INS_PER_MINUTE, at=clock.now())
        return too_many_tries(request, seconds=wait) if wait else super().post(request, *args, **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        user = form.get_user()
        if not second_factor.is_on(user):
            answer = super().form_valid(form)
            presence.note_sign_in(self.request)
            return answer
        self.request.session["password_given"] = {
            "user": user.pk,
            "at": int(time.time()),
            "session_hash": user.get_session_auth_hash(),
        }
        return redirect(f"{reverse('sign-in-code')}?{urlencode({'next': self.get_redirect_url()})}")


@method_decorator([sensitive_post_parameters("code", "passkey"), csrf_protect, never_cache], name="dispatch")
class SignInCode(RoleRedirect, FormView):
    """The second page of a sign-in, for who has a second factor: a passkey, or a code."""

    form_class = CodeForm
    template_name = "accounts/sign_in_code.html"
    http_method_names = ["get", "head", "post"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.who is None and str(request.method).lower() in self.http_method_names:
            return redirect("sign-in")
        return cast(HttpResponse, super().dispatch(request, *args, **kwargs))

    @cached_property
    def who(self) -> User | None:
        return password_given_by(self.request)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if "passkey" not in request.POST:
            return super().post(request, *args, **kwargs)
        user = cast(User, self.who)
        passkey = read_passkey(request, user)
        if passkey is not None:
            return self.enter(user, passkey)
        messages.error(request, _("This passkey was not accepted. Try again."))
        return self.render_to_response(self.get_context_data(form=CodeForm()))

    def form_valid(self, form: CodeForm) -> HttpResponse:
        user = self.who
        device = user and second_factor.matching_device(user, form.cleaned_data["code"], at=clock.now())
        if user is None or device is None:
            form.add_error(
                "code",
                _(
                    "The code is wrong or already used, or there were too many wrong "
                    "codes before it. Wait a moment, then try again."
                ),
            )
            return self.form_invalid(form)
        return self.enter(user, device)

    def enter(self, user: User, device: Any) -> HttpResponse:
        """Sign the user in, who has shown their second factor."""
        del self.request.session["password_given"]
        login(self.request, user, backend=BACKEND)
        mark_verified(self.request, device)
        presence.note_sign_in(self.request)
        return redirect(self.get_success_url())

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user = cast(User, self.who)
        return super().get_context_data(**kwargs) | factors_of(user) | {"next": self.get_redirect_url()}


def password_given_by(request: HttpRequest) -> User | None:
    """Return the user who gave the password a moment ago, unless the password was changed or the sessions ended since."""
    given = request.session.get("password_given") or {}
    if not 0 <= time.time() - given.get("at", 0) <= CODE_SECONDS:
        return None
    user = User.objects.filter(pk=given["user"], is_active=True).first()
    if user is None:
        return None
    valid = (user.get_session_auth_hash(), *user.get_session_auth_fallback_hash())
    return user if any(constant_time_compare(given["session_hash"], each) for each in valid) else None


def factors_of(user: User) -> dict[str, bool]:
    """Return what the user may be asked for, as the templates know it."""
    has_app = second_factor.has_app(user)
    return {
        "has_app": has_app,
        "has_passkeys": passkeys.of(user).exists(),
        "takes_codes": has_app or second_factor.codes_left(user) > 0,
    }


def read_passkey(request: HttpRequest, user: User) -> passkeys.Passkey | None:
    """Return the user's passkey that a form has the answer of. A wrong answer counts as a wrong password does."""
    credentials = {"username": user.email}
    if not AxesProxyHandler.is_allowed(request, credentials):
        request.axes_locked_out = True  # type: ignore[attr-defined]  # and so the middleware answers
        return None
    passkey = passkeys.answering(request, user, request.POST["passkey"])
    if passkey is None:
        AxesProxyHandler.user_login_failed(__name__, credentials, request)
    return passkey


@require_POST
def passkey_ask(request: HttpRequest) -> HttpResponse:
    """Answer what the browser is to ask of a passkey: of who is signed in, or has just given their password."""
    user = request.user if request.user.is_authenticated else password_given_by(request)
    if user is None or not passkeys.of(user).exists():
        raise Http404
    return JsonResponse(passkeys.ask(request, user))


def lock_out(request: HttpRequest, response: HttpResponse | None = None, credentials: Any = None) -> HttpResponse:
    """Answer a sign-in of somebody who gave too many wrong passwords."""
    return too_many_tries(request, seconds=int(settings.AXES_COOLOFF_TIME.total_seconds()))


def too_many_tries(request: HttpRequest, *, seconds: int) -> HttpResponse:
    context = {"minutes": -(-seconds // 60)}
    answer = render(request, "accounts/too_many_tries.html", context, status=429)
    answer.headers["Retry-After"] = str(seconds)
    return answer


# The second factor


@sensitive_post_parameters("code")
@sensitive_variables("codes")
@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@present_only()
def second_factor_page(request: HttpRequest) -> HttpResponse:
    """Show whether the second factor is on; a POST begins with a new secret, or confirms it by its first code."""
    user = cast(User, request.user)
    form = CodeForm(request.POST if "code" in request.POST else None)
    if request.method == "POST" and "code" not in request.POST:
        second_factor.begin(user)
        return redirect(request.get_full_path())
    if request.method == "POST" and form.is_valid():
        codes = second_factor.confirm(user, form.cleaned_data["code"], at=clock.now())
        if codes is not None:
            stay_signed_in(request, user)
            return render(request, "accounts/recovery_codes.html", {"codes": codes})
        form.add_error("code", _("The code is wrong. Check that the clock of your device is right."))
    device = second_factor.pending_device(user)
    context = {
        "page": "second-factor",
        "form": form,
        "device": device,
        "key": second_factor.readable_key(device) if device else "",
        "on": second_factor.is_on(user),
        "has_app": second_factor.has_app(user),
        "passkeys": passkeys.of(user),
        "passkey_form": PasskeyForm(),
        "codes_left": second_factor.codes_left(user),
        "required": is_required(user),
        "next": request.GET.get("next", ""),
    }
    return render(request, "accounts/second_factor.html", context)


def is_required(user: User) -> bool:
    return user.is_staff and Account.get().second_factor


@never_cache
@login_required
@require_safe
@present_only("second-factor")
def second_factor_qr(request: HttpRequest) -> HttpResponse:
    """Answer the picture of the secret that is being set up."""
    device = second_factor.pending_device(cast(User, request.user))
    if device is None:
        raise Http404
    picture = BytesIO()
    write_qrcode_image(device.config_url, picture)
    return HttpResponse(picture.getvalue(), content_type="image/svg+xml")


@sensitive_variables("codes")
@never_cache
@login_required
@require_POST
@present_only("second-factor")
def recovery_codes(request: HttpRequest) -> HttpResponse:
    """Give the user new recovery codes."""
    user = cast(User, request.user)
    if not second_factor.is_on(user):
        return redirect("second-factor")
    codes = second_factor.renew_codes(user, at=clock.now())
    return render(request, "accounts/recovery_codes.html", {"codes": codes, "new": True})


@login_required
@require_POST
@present_only("second-factor")
def sign_out_elsewhere(request: HttpRequest) -> HttpResponse:
    """End all sessions of the user but this one."""
    user = cast(User, request.user)
    second_factor.end_sessions(user, at=clock.now(), by=user)
    stay_signed_in(request, user)
    messages.success(request, _("You are signed out everywhere else."))
    return redirect("second-factor")


@login_required
@require_POST
def passkey_offer(request: HttpRequest) -> HttpResponse:
    """Answer what the browser is to make a passkey of."""
    if not presence.is_present(request):
        raise PermissionDenied  # the script loads the page again, and that asks
    return JsonResponse(passkeys.offer(request, cast(User, request.user)))


@sensitive_post_parameters("passkey")
@sensitive_variables("codes")
@never_cache
@login_required
@require_POST
@present_only("second-factor")
def passkey_add(request: HttpRequest) -> HttpResponse:
    """Keep the passkey that the browser made; the first turns the second factor on."""
    user, form = cast(User, request.user), PasskeyForm(request.POST)
    codes = None
    if form.is_valid():
        name, answer = form.cleaned_data["name"], form.cleaned_data["passkey"]
        codes = second_factor.add_passkey(request, user, name=name, answer=answer, at=clock.now())
    if codes is None:
        messages.error(request, _("This passkey was not accepted. Try again."))
        return redirect("second-factor")
    if codes:
        stay_signed_in(request, user)
        return render(request, "accounts/recovery_codes.html", {"codes": codes})
    messages.success(request, _("Passkey added."))
    return redirect("second-factor")


@sensitive_post_parameters("code", "passkey")
@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def passkey_remove(request: HttpRequest, passkey_id: int) -> HttpResponse:
    """Remove a passkey of the user, who shows that it is them."""
    user = cast(User, request.user)
    passkey = get_object_or_404(passkeys.of(user), pk=passkey_id)
    last = second_factor.is_last(passkey)
    if last and is_required(user):
        messages.error(
            request,
            _("Your account requires a second factor from everybody who can use the admin. Set up another one first."),
        )
        return redirect("second-factor")
    if (page := to_prove(request, user, passkey=passkey, last=last)) is not None:
        return page
    second_factor.remove_passkey(user, passkey, at=clock.now())
    stay_signed_in(request, user)
    messages.success(request, _("Passkey removed."))
    return redirect("second-factor")


@sensitive_post_parameters("code", "passkey")
@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def second_factor_off(request: HttpRequest) -> HttpResponse:
    """Turn the second factor off, for who has it at hand."""
    user = cast(User, request.user)
    if is_required(user):
        messages.error(request, _("Your account requires a second factor from everybody who can use the admin."))
        return redirect("second-factor")
    if not second_factor.is_on(user):
        return redirect("second-factor")
    if (page := to_prove(request, user)) is not None:
        return page
    second_factor.turn_off(user, at=clock.now(), by=user)
    stay_signed_in(request, user)
    messages.success(request, _("The second factor is off."))
    return redirect("second-factor")


def to_prove(request: HttpRequest, user: User, **facts: Any) -> HttpResponse | None:
    """Return the page on which the user shows a second factor; None when they just have. facts: what it is for."""
    if request.method != "POST":
        return render(request, "accounts/remove_factor.html", factors_of(user) | facts | {"form": CodeForm()})
    return redirect(request.path) if read_device(request, user) is None else None


def read_device(request: HttpRequest, user: User) -> Any:
    """Return the passkey, or the device whose code, that a form has; None for a wrong one, and the user is told."""
    form = CodeForm(request.POST)
    if "passkey" in request.POST:
        device = read_passkey(request, user)
    else:
        device = (
            second_factor.matching_device(user, form.cleaned_data["code"], at=clock.now()) if form.is_valid() else None
        )
    if device is None:
        messages.error(request, _("The code or passkey was not accepted. Nothing has changed."))
    return device


# Proof that it is still the person


@sensitive_post_parameters("code", "passkey", "password")
@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def prove(request: HttpRequest) -> HttpResponse:
    """Ask the person for a factor, and send them on to what only they may do."""
    user = cast(User, request.user)
    on = second_factor.is_on(user)
    form: CodeForm | PasswordForm = CodeForm() if on else PasswordForm()
    if request.method == "POST":
        wait = limits.wait(f"sign-in:{client_address(request)}", limit=settings.SIGN_INS_PER_MINUTE, at=clock.now())
        if wait:
            return too_many_tries(request, seconds=wait)
        device = read_device(request, user) if on else None
        if device is not None or (not on and password_is_right(request, user)):
            if device is not None:
                mark_verified(request, device)
            presence.note_proof(request)
            return redirect(next_page(request))
        if not on:
            messages.error(request, _("This password is wrong."))
    context = factors_of(user) | {"form": form, "on": on, "next": next_page(request)}
    return render(request, "accounts/prove.html", context)


def password_is_right(request: HttpRequest, user: User) -> bool:
    """Tell whether a form has the user's password. A wrong one counts as at the sign-in."""
    form = PasswordForm(request.POST)
    password = form.cleaned_data["password"] if form.is_valid() else ""
    return bool(password) and authenticate(request, username=user.email, password=password) == user


def next_page(request: HttpRequest) -> str:
    """Return where the person goes on: `next`, where that is ours."""
    page = request.POST.get("next") or request.GET.get("next") or ""
    ours = url_has_allowed_host_and_scheme(page, {request.get_host()}, require_https=request.is_secure())
    return page if ours else reverse("second-factor")


def stay_signed_in(request: HttpRequest, user: User) -> None:
    """Keep this session, where all of the user's have ended; it knows one of the second factors that are left."""
    update_session_auth_hash(request, user)
    mark_verified(request, next(iter(second_factor.devices_for_user(user)), None))


# Invitations


@sensitive_post_parameters("new_password1", "new_password2")
@csrf_protect
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, uidb64: str, token: str) -> HttpResponse:
    """Let an invited user set a password. Looking at the page changes nothing: mail programs look at links, too."""
    user = user_of_invitation(uidb64, token)
    if user is None:
        return render(request, "accounts/invitation.html", {"form": None}, status=404)
    form = SetPasswordForm(user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            form.save()
            note_new_password(user, at=clock.now())
        messages.success(request, _("Your password is set. Sign in with it."))
        return redirect("sign-in")
    return render(request, "accounts/invitation.html", {"form": form, "invited": user})
