"""The header that tells browsers what a page may load and run."""

import pytest

from tests.factories import make_manager, make_supervisor

pytestmark = pytest.mark.django_db


def policy(client, path):
    return dict(part.strip().partition(" ")[::2] for part in client.get(path)["Content-Security-Policy"].split(";"))


@pytest.mark.parametrize("path", ["/me/", "/nowhere/", "/api/v1/leads"])
def test_our_own_pages_run_nothing_inline_and_load_nothing_from_elsewhere(client, path):
    client.force_login(make_manager().user)
    found = policy(client, path)
    assert found["default-src"] == "'none'"
    assert found["script-src"] == found["style-src"] == found["connect-src"] == "'self'"
    assert found["frame-ancestors"] == "'none'"


def test_the_admin_may_do_what_its_theme_needs_and_no_more(client):
    client.force_login(make_supervisor())
    found = policy(client, "/admin/")
    assert found["script-src"] == "'self' 'unsafe-eval'"
    assert found["style-src"] == "'self' 'unsafe-inline'"
    assert found["default-src"] == "'none'"


def test_the_browser_of_the_api_has_no_inline_scripts(client):
    assert policy(client, "/api/docs/")["script-src"] == "'self'"
