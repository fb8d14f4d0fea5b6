"""Whatever goes wrong under /api/ is one kind of answer, and tells nothing of the inside."""

import errno
import io
import json
import logging

import pytest
from django.core import exceptions as django_exceptions
from django.db import DatabaseError, DataError, IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpResponse, HttpResponseForbidden, HttpResponseNotAllowed, UnreadablePostError
from django.test import Client, RequestFactory
from django.urls import path
from rest_framework import exceptions as drf
from rest_framework import serializers
from rest_framework.decorators import api_view, authentication_classes, permission_classes
from rest_framework.response import Response
from rest_framework.views import APIView

from leadrouter import problems
from routing import exceptions as domain
from routing.api.parsers import BulkParser, LeadJSONParser
from routing.api.renderers import AlwaysJSON, JSONRenderer
from routing.intake.text import BadText

SECRETS = ("Traceback", "SELECT", "/work/", "site-packages", "DJANGO_SETTINGS", "canary", "<html", "<!doctype")
raised: list[Exception] = []  # what the next request shall meet


class Door(APIView):
    authentication_classes = ()
    permission_classes = ()
    parser_classes = (LeadJSONParser,)
    renderer_classes = (JSONRenderer,)
    content_negotiation_class = AlwaysJSON

    def post(self, request, **kwargs):
        if raised:
            raise raised.pop()
        return Response({"got": request.data, "bytes": len(getattr(request, "raw_body", b""))}, status=201)


class BulkDoor(Door):
    parser_classes = (BulkParser,)

    def post(self, request):
        answer, context = self.get_exception_handler(), self.get_exception_handler_context()
        results = [answer(item, context).data if isinstance(item, Exception) else item for item in request.data]
        return Response({"results": results})


@api_view(["GET"])
@authentication_classes([])
@permission_classes([])
def nothing(request):
    return Response(None)


def plain(request):
    if raised:
        raise raised.pop()
    return HttpResponseForbidden("<html>canary</html>")


urlpatterns = [
    path("api/door", Door.as_view()),
    path("api/bulk", BulkDoor.as_view()),
    path("api/nothing", nothing),
    path("api/plain", plain),
    path("api/post-only", lambda request: HttpResponseNotAllowed(["POST"])),
    path("page", plain),
    path("api/fine", lambda request: HttpResponse("fine")),
    path("language/", nothing, name="language"),  # pages of errors offer the languages, too
]
handler400, handler403 = problems.handler400, problems.handler403
handler404, handler500 = problems.handler404, problems.handler500


@pytest.fixture(autouse=True)
def doors(settings):
    """Serve the doors of this file behind the middleware, as in production."""
    settings.ROOT_URLCONF = __name__
    settings.DEBUG = False
    settings.ALLOWED_HOSTS = ["testserver"]
    settings.MIDDLEWARE = ["leadrouter.problems.ProblemMiddleware", "django.middleware.common.CommonMiddleware"]
    yield
    raised.clear()


@pytest.fixture
def client():
    return Client(raise_request_exception=False)


def checked(response):
    """Return the document of an answer after looking at what all of them have in common."""
    assert response["Content-Type"] == "application/problem+json"
    document = json.loads(response.content)
    assert document["status"] == response.status_code
    assert set(document) <= {"type", "title", "status", "detail", "code", "errors"}
    assert document["type"] in ("about:blank", f"/problems/{document['code']}")
    assert document["title"]
    assert document["detail"]
    for error in document.get("errors", []):
        assert set(error) == {"pointer", "field", "code", "detail"}
    for secret in SECRETS:
        assert secret not in response.content.decode()
    return document


def answer_to(client, exception):
    raised.append(exception)
    response = client.post("/api/door", "{}", content_type="application/json")
    return response, checked(response)


def because(exception, cause):
    exception.__cause__ = cause
    return exception


class LockNotAvailable(Exception):
    pgcode = "55P03"


class DiskFull(Exception):
    pgcode = "53100"


@pytest.mark.parametrize(
    ("exception", "status", "code"),
    [
        (domain.InvalidLead("No way to reach the person."), 400, "invalid-lead"),
        (domain.NotFound(), 404, "not-found"),
        (domain.IdempotencyKeyReused(), 422, "idempotency-key-reused"),
        (domain.OfferClosed(), 409, "offer-closed"),
        (domain.Conflict(), 409, "conflict"),
        (domain.NotAllowed(), 403, "not-allowed"),
        (domain.Busy(retry_after=7), 503, "busy"),
        (domain.Refused(), 400, "refused"),
        (BadText("half", pointer="/fields/0"), 400, "invalid-text"),
        (drf.ValidationError("no"), 400, "invalid-request"),
        (drf.ValidationError({"contact": {"phone": ["no number"]}}, code="invalid-phone"), 400, "invalid-phone"),
        (drf.ValidationError({"name": ["too long"]}, code="max_length"), 400, "invalid-request"),
        (drf.ParseError("canary"), 400, "invalid-json"),
        (drf.NotAuthenticated(), 401, "unauthorized"),
        (drf.AuthenticationFailed("canary: revoked"), 401, "unauthorized"),
        (drf.PermissionDenied("canary"), 403, "forbidden"),
        (drf.NotFound("canary"), 404, "not-found"),
        (drf.MethodNotAllowed("POST"), 405, "method-not-allowed"),
        (drf.NotAcceptable(), 406, "not-acceptable"),
        (drf.UnsupportedMediaType("canary"), 415, "unsupported-media-type"),
        (drf.Throttled(wait=3.2), 429, "too-many-requests"),
        (drf.APIException("canary"), 500, "internal-error"),
        (Http404("canary"), 404, "not-found"),
        (django_exceptions.PermissionDenied("canary"), 403, "forbidden"),
        (django_exceptions.ValidationError({"name": "too long"}), 400, "invalid-request"),
        (django_exceptions.RequestDataTooBig("canary"), 413, "too-large"),
        (django_exceptions.TooManyFieldsSent("canary"), 400, "bad-request"),
        (django_exceptions.SuspiciousOperation("canary"), 400, "bad-request"),
        (django_exceptions.BadRequest("canary"), 400, "bad-request"),
        (UnreadablePostError("canary"), 400, "bad-request"),
        (because(OperationalError("canary: SELECT"), LockNotAvailable()), 503, "busy"),
        (because(OperationalError("canary: SELECT"), DiskFull()), 507, "no-space"),
        (OSError(errno.ENOSPC, "canary"), 507, "no-space"),
        (InterfaceError("connection already closed"), 503, "busy"),
        (DatabaseError("server closed the connection unexpectedly"), 503, "busy"),
        (IntegrityError("canary"), 409, "conflict"),
        (DataError("canary"), 400, "invalid-value"),
        (ValueError("A string literal cannot contain NUL (0x00) characters."), 400, "invalid-value"),
        (UnicodeEncodeError("utf-8", "canary\ud800", 6, 7, "surrogates not allowed"), 400, "invalid-value"),
        (ValueError("canary"), 500, "internal-error"),
        (RecursionError("canary"), 500, "internal-error"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_each_exception_has_its_status_and_code(client, exception, status, code):
    response, document = answer_to(client, exception)
    assert (response.status_code, document["code"]) == (status, code)


def test_who_has_to_wait_is_told_how_long(client):
    assert answer_to(client, domain.Busy(retry_after=7))[0]["Retry-After"] == "7"
    assert answer_to(client, drf.Throttled(wait=3.2))[0]["Retry-After"] == "4"
    assert answer_to(client, OperationalError("lock timeout"))[0]["Retry-After"] == "1"
    assert "Retry-After" not in answer_to(client, drf.Throttled())[0].headers


def test_every_reason_of_an_unknown_key_gives_the_same_answer(client):
    answers = [
        answer_to(client, exception)[0]
        for exception in (
            drf.NotAuthenticated(),
            drf.AuthenticationFailed("revoked"),
            drf.AuthenticationFailed("expired"),
        )
    ]
    assert len({(answer.content, answer["WWW-Authenticate"]) for answer in answers}) == 1
    assert answers[0]["WWW-Authenticate"] == "Bearer"


def test_a_method_not_allowed_says_which_are(client):
    response = client.delete("/api/door")
    assert checked(response)["code"] == "method-not-allowed"
    assert "POST" in response["Allow"]
    response = client.get("/api/post-only")
    assert checked(response)["code"] == "method-not-allowed"
    assert response["Allow"] == "POST"


def test_the_errors_of_a_domain_refusal_keep_their_pointers(client):
    errors = [{"pointer": "/contact/email", "code": "invalid-email", "detail": "No address."}]
    _, document = answer_to(client, domain.InvalidLead("Mend it.", errors=errors))
    assert document["errors"] == [{**errors[0], "field": "contact.email"}]
    assert document["detail"] == "Mend it."
    assert document["title"] == "The lead is not valid"


class Contact(serializers.Serializer):
    email = serializers.EmailField()


class Lead(serializers.Serializer):
    name = serializers.CharField(max_length=3)
    contact = Contact()
    others = Contact(many=True, required=False)
    tags = serializers.ListField(child=serializers.CharField(max_length=2), required=False)

    def validate(self, attrs):
        raise serializers.ValidationError("Nobody to call.")


def pointers(data):
    form = Lead(data=data)
    assert not form.is_valid()
    return {error["pointer"]: error["code"] for error in problems.field_errors(form.errors)}


def test_nested_errors_become_json_pointers():
    data = {
        "name": "long",
        "contact": {},
        "others": [{"email": "a@example.com"}, {"email": "x"}],
        "tags": ["a", "long"],
    }
    assert pointers(data) == {
        "/name": "max-length",
        "/contact/email": "required",
        "/others/1/email": "invalid",
        "/tags/1": "max-length",
    }
    assert pointers({"name": "a", "contact": {"email": "a@example.com"}}) == {"": "invalid"}
    assert pointers({"name": "a", "contact": 5}) == {"/contact": "invalid"}
    assert pointers([]) == {"": "invalid"}


def test_strange_field_names_are_escaped_in_pointers(client):
    _, document = answer_to(client, drf.ValidationError({"a/b~c": ["no"]}))
    assert document["errors"][0]["pointer"] == "/a~1b~0c"
    assert document["errors"][0]["field"] == "a/b~c"


def test_a_flood_of_errors_is_cut_and_counted(client):
    _, document = answer_to(client, drf.ValidationError({str(number): ["no"] for number in range(5_000)}))
    assert len(document["errors"]) == 100
    assert "4999 more" in document["detail"]


# What never reaches a view


def test_an_unknown_address_is_a_problem_and_a_page_is_a_page(client):
    assert checked(client.get("/api/nowhere"))["code"] == "not-found"
    response = client.get("/nowhere")
    assert response.status_code == 404
    assert response["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("debug", [False, True])
def test_a_strange_host_is_a_problem(client, settings, debug):
    settings.DEBUG = debug
    assert checked(client.get("/api/fine", headers={"host": "evil.example"}))["status"] == 400


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize(
    ("exception", "status"),
    [
        (KeyError("canary"), 500),
        (Http404("canary"), 404),
        (django_exceptions.PermissionDenied("canary"), 403),
        (django_exceptions.SuspiciousOperation("canary"), 400),
        (django_exceptions.RequestDataTooBig("canary"), 413),
    ],
)
def test_no_page_of_the_debugger_and_no_html_leaves_the_api(client, settings, exception, status, debug):
    settings.DEBUG = debug
    raised.append(exception)
    response = client.get("/api/plain")
    document = checked(response)
    if not (debug and status == 413):  # the debugger knows only of 400
        assert document["status"] == status


def test_html_of_whoever_refuses_is_replaced(client):
    assert checked(client.get("/api/plain"))["code"] == "forbidden"
    assert client.get("/page").content == b"<html>canary</html>"
    assert client.get("/api/fine").content == b"fine"


@pytest.mark.parametrize(
    ("exception", "status"),
    [
        (KeyError("canary"), 500),
        (django_exceptions.PermissionDenied("canary"), 403),
        (django_exceptions.SuspiciousOperation("canary"), 400),
        (OSError(errno.ENOSPC, "canary"), 507),
        (because(OperationalError("canary"), DiskFull()), 507),
    ],
)
def test_pages_keep_their_html(client, exception, status):
    raised.append(exception)
    response = client.get("/page")
    assert response.status_code == status
    assert response["Content-Type"].startswith("text/html")


def chunked(raw, **server):
    request = RequestFactory().generic("POST", "/api/door", raw, headers={"transfer-encoding": "chunked"}, **server)
    request.META.pop("CONTENT_LENGTH", None)
    request.META["wsgi.input"] = io.BytesIO(raw)
    return problems.ProblemMiddleware(Door.as_view())(request)


def test_a_body_in_chunks_is_read_where_the_server_knows_its_end():
    response = chunked(b'{"a":1}', **{"wsgi.input_terminated": True})
    assert response.data == {"got": {"a": 1}, "bytes": 7}
    assert checked(chunked(b" " * (17 << 20), **{"wsgi.input_terminated": True}))["code"] == "too-large"


def test_a_body_without_a_length_is_asked_for_one():
    assert checked(chunked(b'{"a":1}'))["code"] == "length-required"


def test_what_is_left_of_a_refused_body_is_read(client):
    request = RequestFactory().post("/api/door", b"x" * 200_000, content_type="application/json")
    problems.ProblemMiddleware(lambda request: HttpResponseForbidden())(request)
    assert request.read(1) == b""


def test_a_broken_value_is_logged_without_the_value(client, caplog):
    with caplog.at_level(logging.INFO, logger="leadrouter.problems"):
        answer_to(client, DataError("canary: invalid byte sequence"))
        answer_to(client, because(OperationalError("canary"), LockNotAvailable()))
    ours = [record.getMessage() for record in caplog.records if record.name == "leadrouter.problems"]
    assert len(ours) == 2
    assert "55P03" in ours[1]
    assert "canary" not in "".join(ours)


# The whole door: bytes in, JSON out


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "garbage", "", "*/*;q=0", "image/*, " * 500])
@pytest.mark.parametrize("query", ["", "?format=xml", "?format=", "?format=api"])
def test_no_wish_for_another_format_loses_a_lead(client, accept, query):
    response = client.post(f"/api/door{query}", '{"a":1}', content_type="text/plain", headers={"accept": accept})
    assert response.status_code == 201
    assert response["Content-Type"] == "application/json"
    assert response.json() == {"got": {"a": 1}, "bytes": 7}


@pytest.mark.parametrize(
    "content_type",
    ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "garbage", "x" * 5_000, ";=;"],
)
def test_json_under_another_name_is_taken(client, content_type):
    assert client.generic("POST", "/api/door", b'{"a":1}', content_type=content_type).status_code == 201


@pytest.mark.parametrize(
    ("raw", "content_type", "status", "code"),
    [
        (b"undefined", "application/json", 400, "invalid-json"),
        (b"[]", "application/json", 400, "not-an-object"),
        (b'{"a":"\\udc00"}', "application/json", 400, "invalid-text"),
        (b'{"a":1,"a":2}', "application/json", 400, "duplicate-key"),
        (b'{"a":' * 3_000 + b"0" + b"}" * 3_000, "application/json", 400, "too-deep"),
        (b"{" + b" " * (1 << 20) + b"}", "application/json", 413, "too-large"),
        (b"{" + b" " * (20 << 20) + b"}", "application/json", 413, "too-large"),
        (b"a=1", "application/x-www-form-urlencoded", 415, "unsupported-media-type"),
        (b"--x", "multipart/form-data; boundary=x", 415, "unsupported-media-type"),
    ],
)
def test_a_bad_body_is_answered_by_its_name(client, raw, content_type, status, code):
    response = client.generic("POST", "/api/door", raw, content_type=content_type)
    document = checked(response)
    assert (document["status"], document["code"]) == (status, code)
    assert client.generic("POST", "/api/door", b"{}", content_type="application/json").status_code == 201


def test_an_empty_body_is_an_empty_object(client):
    response = client.generic("POST", "/api/door", b"", content_type="")
    assert response.json() == {"got": {}, "bytes": 0}


def test_a_bad_item_of_a_bulk_request_carries_its_problem(client):
    response = client.generic("POST", "/api/bulk", b'{"a":1}\n{"a":\n5\n', content_type="application/x-ndjson")
    first, second, third = response.json()["results"]
    assert first == {"a": 1}
    assert (second["status"], second["code"]) == (400, "invalid-json")
    assert third["code"] == "not-an-object"


def test_what_utf8_cannot_write_is_escaped_on_the_way_out():
    assert JSONRenderer().render({"a": "\ud800é"}) == b'{"a":"\\ud800\\u00e9"}'
    assert JSONRenderer().render({"a": "é"}) == '{"a":"é"}'.encode()
    assert JSONRenderer().render(None) == b""


def test_an_answer_without_content_stays_without(client):
    assert client.get("/api/nothing").status_code == 200
