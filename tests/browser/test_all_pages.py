"""What holds for every page: nothing inline, nothing from another host, no complaint, for everybody to use."""

import pytest

from tests.factories import make_manager, make_supervisor, make_trigger

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("phone", [True, False], ids=["phone", "desktop"])
def test_the_sign_in_page_is_well_made(visit, phone):
    visitor = visit(phone=phone)
    visitor.open("/")
    visitor.assert_well_made("sign-in")


def test_the_browser_of_the_api_works_under_its_policy(visit):
    visitor = visit()
    page = visitor.open("/api/docs/")
    page.get_by_text("/api/v1/leads/bulk").first.wait_for()


def test_the_admin_works_under_its_policy(visit):
    supervisor = make_supervisor()
    make_manager()
    visitor = visit(user=supervisor)
    page = visitor.open("/admin/accounts/manager/")
    page.get_by_role("link", name="Ann").first.click()
    page.get_by_role("heading", name="Ann").first.wait_for()


def test_what_is_written_into_a_page_does_not_run(visit):
    visitor = visit()
    page = visitor.open("/")
    page.evaluate(
        "const s = document.createElement('script'); s.textContent = 'window.ran = true'; document.body.append(s)"
    )
    assert page.evaluate("window.ran") is None
    assert any("Content Security Policy" in complaint for complaint in visitor.complaints)
    visitor.complaints.clear()


@pytest.mark.parametrize("language", ["ru", "es", "pt-br"])
def test_long_words_of_other_languages_fit_a_phone(visit, language):
    make_trigger(members=[make_manager(active=False)])  # what cannot work is told in the list
    supervisor = make_supervisor()
    supervisor.language = language
    supervisor.save()
    visitor = visit(user=supervisor, phone=True)
    for path in ("apikey/add", "trigger", "decision"):
        visitor.open(f"/admin/routing/{path}/")
        visitor.assert_well_made(f"{path.replace('/', '-')}-{language}")
