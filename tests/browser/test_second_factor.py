"""The pages of the second factor, as people see them."""

import pytest
from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice

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
    page.get_by_text("This code is wrong").wait_for()
