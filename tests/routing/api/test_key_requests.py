"""Requests with a key pass by what only pages need, and lose nothing that programs are promised."""

import pytest
from django.test import Client
from django.test.utils import override_settings
from django.utils import translation

from accounts.models import Manager

from .world import LEAD, Api, World


def test_a_request_with_a_key_opens_no_session_and_gets_no_cookie(world: World, django_assert_max_num_queries) -> None:
    client = Client()
    client.force_login(world.users["ann"])
    with django_assert_max_num_queries(20) as queries:
        response = client.get("/api/v1/leads", headers={"authorization": f"Bearer {world.keys['account']}"})
    assert response.status_code == 200
    assert not [query for query in queries if "django_session" in query["sql"]]
    assert not response.cookies


def test_a_key_beside_a_session_decides_alone(world: World) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.users["ann"])
    taken = client.post(
        "/api/v1/leads", LEAD, "application/json", headers={"authorization": f"Bearer {world.keys['account']}"}
    )
    assert taken.status_code == 201
    wrong = client.get("/api/v1/leads", headers={"authorization": "Bearer lr_wrong"})
    assert wrong.status_code == 401


def test_a_session_without_a_key_still_needs_its_csrf_token(world: World) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.users["ann"])
    assert client.get("/api/v1/leads").status_code == 200
    assert client.post("/api/v1/leads", LEAD, "application/json").status_code == 403


@pytest.mark.parametrize("path", ["leads", "nowhere", "leads/bulk"])
def test_every_answer_says_how_long_it_is_and_is_shown_in_no_frame(world: World, path: str) -> None:
    response = world.api().get(path)
    assert int(response.headers["Content-Length"]) == len(response.content)
    assert response.headers["X-Frame-Options"] == "DENY"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]


def test_a_strange_host_is_refused_as_a_problem(world: World) -> None:
    response = world.api().get("leads", host="evil.example")
    assert response.status_code == 400
    assert response.headers["Content-Type"] == "application/problem+json"


@override_settings(SECURE_SSL_REDIRECT=True)
def test_plain_http_is_redirected_where_https_is_asked_for(world: World) -> None:
    assert Client().get("/api/v1/leads", headers={"x-api-key": world.keys["account"]}).status_code == 301


def test_the_language_is_the_callers_and_never_that_of_the_page_before(world: World) -> None:
    translation.activate("es")
    world.api().get("leads")
    assert translation.get_language() == "en"
    world.api().get("leads", accept_language="es")
    assert translation.get_language() == "es"
    translation.activate("en")


def test_a_refusal_is_english_unless_the_caller_asks_for_another_language(world: World) -> None:
    lead = world.api().post("leads", LEAD).json()["id"]
    Manager.objects.update(active=False)
    world.users["sue"].language = "ru"
    world.users["sue"].save()
    browser = Client(raise_request_exception=False)
    browser.force_login(world.users["sue"])
    for api in (world.api(), Api(None, browser)):
        for asked, said in (
            ({}, "The manager is not active."),
            ({"accept_language": "es"}, "El comercial no está activo."),
        ):
            translation.activate("ru")  # of the page before
            answer = api.post(f"leads/{lead}/reassign", {"manager": "bob@example.com"}, **asked)
            assert (answer.status_code, answer.json()["code"], answer.json()["detail"]) == (409, "conflict", said)
