"""JSON out, whatever the request says it would like: negotiation must never lose a lead."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.renderers import JSONRenderer as FrameworkJSONRenderer
from rest_framework.request import Request

from .parsers import LeadJSONParser


class JSONRenderer(FrameworkJSONRenderer):
    """Compact JSON in UTF-8; text that UTF-8 cannot write is escaped instead of raising."""

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        if data is None:
            return b""
        try:
            return self._dump(data, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            return self._dump(data, ensure_ascii=True).encode()

    def _dump(self, data: Any, *, ensure_ascii: bool) -> str:
        return json.dumps(
            data, cls=self.encoder_class, ensure_ascii=ensure_ascii, allow_nan=False, separators=(",", ":")
        )


class AlwaysJSON(DefaultContentNegotiation):
    """Where a view speaks JSON, neither Accept nor `?format=` nor Content-Type decides anything.

    A view that brings other renderers or parsers (the schema, its browser) negotiates as usual.
    """

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        for parser in parsers:
            if isinstance(parser, LeadJSONParser):
                return parser
        return super().select_parser(request, parsers)

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        first = next(iter(renderers), None)
        if isinstance(first, FrameworkJSONRenderer):
            return first, first.media_type
        return super().select_renderer(request, renderers, format_suffix)
