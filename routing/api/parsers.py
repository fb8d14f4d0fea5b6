"""The body of a request → JSON values."""

from __future__ import annotations

from contextlib import suppress
from typing import IO, Any

from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from routing.intake import bodies
from routing.services.journal import KEPT_BYTES

FORMS = ("application/x-www-form-urlencoded", "multipart/")
NDJSON = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines")


class LeadJSONParser(BaseParser):
    """One JSON object of at most 1 MiB. Its bytes stay on the request as `raw_body`: the idempotency fingerprint."""

    media_type = "application/json"
    max_bytes = bodies.MAX_BYTES

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None) -> Any:
        media_type = (media_type or "")[:256]
        request = (parser_context or {}).get("request")
        raw = self._read(stream, getattr(request, "META", {}))
        if request is not None:
            request.raw_body = raw
        try:
            return self.read(bodies.as_utf8(raw, media_type), media_type)
        except (bodies.InvalidJson, bodies.InvalidEncoding, bodies.NotAnObject, bodies.NotAList):
            if media_type.lower().startswith(FORMS):
                raise bodies.UnsupportedBody("Form data is not supported. Send JSON.") from None
            raise

    def read(self, raw: bytes, media_type: str) -> object:
        value = bodies.parse_body(raw, max_bytes=len(raw))
        if not isinstance(value, dict):
            raise bodies.NotAnObject()
        return value

    def _read(self, stream: IO[Any], headers: dict[str, str]) -> bytes:
        if headers.get("HTTP_CONTENT_ENCODING", "identity").lower() not in ("", "identity"):
            raise bodies.UnsupportedBody("Compressed bodies are not supported. Send plain JSON.")
        announced = headers.get("CONTENT_LENGTH") or "0"
        if not (announced.isdecimal() and len(announced) < 16 and int(announced) <= self.max_bytes):
            raise bodies.TooLarge(f"The body is larger than {self.max_bytes:,} bytes.")
        raw: bytes = stream.read(self.max_bytes + 1)
        if len(raw) > self.max_bytes:
            raise bodies.TooLarge(f"The body is larger than {self.max_bytes:,} bytes.")
        return raw


class BulkParser(LeadJSONParser):
    """Up to 1,000 leads in at most 16 MiB, as a JSON list or as one object a line: a list of objects and BadBody."""

    max_bytes = bodies.MAX_BULK_BYTES

    def read(self, raw: bytes, media_type: str) -> object:
        return bodies.parse_bulk(raw, ndjson=media_type.lower().startswith(NDJSON))


def readable_body(request: Request) -> tuple[bytes, int]:
    """Return the beginning of the body and the size of the whole, as far as it can still be read."""
    raw = getattr(request, "raw_body", None)
    if raw is not None:
        return raw[:KEPT_BYTES], len(raw)
    beginning = b""
    with suppress(Exception):  # the connection may be gone, or somebody has read it before
        beginning = request._request.read(KEPT_BYTES)
    announced = str(request.META.get("CONTENT_LENGTH") or "")
    size = int(announced) if announced.isdecimal() and len(announced) < 10 else len(beginning)
    return beginning, max(min(size, 2**31 - 1), len(beginning))
