"""The pages of the second factor, as people see them."""

import pytest
from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.security import second_factor
from tests.effort import by_night
from tests.factories import make_account, make_supervisor

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize(("phone", "dark"), [(True, True), (False, False)], ids=["phone-dark", "desktop-light"])
def test_staff_are_led_through_the_second_factor(visit, phone, dark):
    make_account(second_factor=True)
    sue = make_supervisor()
    visitor = visit(user=sue, phone=phone, dark=dark)
    page = visitor.open("/admin/")
    visitor.assert_well_made("second-factor-required")
    page.get_by_role("button", name="Set it up").click()
    picture = page.get_by_role("img", name="QR code")
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth > 0)")
    visitor.assert_well_made("second-factor-setup")
    device = TOTPDevice.objects.get(user=sue)
    page.get_by_label("Code").fill(f"{totp(device.bin_key):06}")
    page.get_by_role("button", name="Turn on").click()
    page.get_by_role("heading", name="The second factor is on").wait_for()
    visitor.assert_well_made("second-factor-codes")
    visitor.open("/second-factor/")
    visitor.assert_well_made("second-factor-on")


def test_the_code_is_asked_for_after_the_password(visit):
    sue = make_supervisor()
    sue.set_password("unguessable-1")
    sue.save()
    TOTPDevice.objects.create(user=sue, name="app")
    visitor = visit()
    page = visitor.open("/")
    page.get_by_label("E-mail").fill(sue.email)
    page.get_by_label("Password").fill("unguessable-1")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Your code").wait_for()
    visitor.assert_well_made("sign-in-code")
    page.get_by_label("Code").fill("000000")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("The code is wrong").wait_for()


def give_device(visitor) -> None:
    """Give the visitor's browser a device that has passkeys and knows its owner's finger."""
    tools = visitor.context.new_cdp_session(visitor.page)
    tools.send("WebAuthn.enable")
    tools.send("WebAuthn.addVirtualAuthenticator", {"options": {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }})  # fmt: skip


def add_passkey(page, name: str = "Laptop") -> None:
    page.get_by_label("Passkey name").fill(name)
    page.get_by_role("button", name="Add a passkey").click()


def give_password(page, user) -> None:
    page.get_by_label("E-mail").fill(user.email)
    page.get_by_label("Password").fill("unguessable-1")
    page.get_by_role("button", name="Sign in").click()


@pytest.fixture
def sue():
    sue = make_supervisor()
    sue.set_password("unguessable-1")
    sue.save()
    return sue


@pytest.mark.parametrize(
    ("phone", "dark"),
    by_night([(True, False), (False, True), (True, True), (False, False)], by_day=[(True, False), (False, True)]),
)
def test_a_passkey_is_added_signs_in_and_is_removed(visit, sue, phone, dark):
    visitor = visit(user=sue, phone=phone, dark=dark)
    give_device(visitor)
    page = visitor.open("/second-factor/")
    page.get_by_role("button", name="Add a passkey").wait_for()
    visitor.assert_well_made("passkeys-none")
    add_passkey(page, "Laptop of Sue, the grey one under the window of the office")
    page.get_by_role("heading", name="The second factor is on").wait_for()
    visitor.assert_well_made("passkeys-codes")
    visitor.open("/second-factor/")
    page.get_by_text("not used yet").wait_for()
    visitor.assert_well_made("passkeys-on")
    page.get_by_role("button", name="Sign out", exact=True).click()
    give_password(page, sue)
    page.get_by_role("heading", name="Your second factor").wait_for()
    assert page.get_by_role("button", name="Use a passkey").evaluate("button => button === document.activeElement")
    visitor.assert_well_made("sign-in-passkey")
    assert "second-factor" not in page.content(), "nobody is signed in yet"
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url("**/admin/")
    visitor.open("/second-factor/")
    page.get_by_text("last used").wait_for()
    page.get_by_role("link", name="Remove Laptop of Sue").click()
    visitor.assert_well_made("passkey-remove")
    page.get_by_role("button", name="Use a passkey").click()
    page.get_by_text("Passkey removed.").wait_for()
    visitor.assert_well_made("passkey-removed")
    assert not second_factor.is_on(sue)


def test_a_browser_that_gives_no_passkey_is_told_of_in_words(visit, sue):
    visitor = visit(user=sue)
    give_device(visitor)
    page = visitor.open("/second-factor/")
    add_passkey(page)
    page.get_by_role("heading", name="The second factor is on").wait_for()
    visitor.open("/second-factor/")
    add_passkey(page, "The same once more")
    page.get_by_text("This device already has a passkey of yours.").wait_for()
    visitor.assert_well_made("passkey-known")
    stranger = visit()
    give_device(stranger)
    page = stranger.open("/")
    give_password(page, sue)
    page.get_by_role("button", name="Use a passkey").click()
    page.get_by_text("Your browser did not provide a passkey.").wait_for()
    stranger.assert_well_made("passkey-failed")
    assert page.get_by_role("button", name="Use a passkey").is_enabled()


def test_without_scripts_or_at_an_address_of_numbers_the_button_is_off_and_says_why(visit, sue):
    for name, facts in (("scripts", {"scripts": False}), ("name", {})):
        visitor = visit(**facts)
        if name == "name":
            visitor.address = visitor.address.replace("localhost", "127.0.0.1")
        visitor.sign_in(sue)
        page = visitor.open("/second-factor/")
        assert page.get_by_role("button", name="Add a passkey").is_disabled()
        assert page.get_by_text("Passkeys need JavaScript").is_visible()
        assert page.get_by_role("button", name="Set it up").is_enabled()
        visitor.page.screenshot(path=visitor.pictures / f"passkeys-without-{name}.png")
