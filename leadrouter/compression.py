"""The admin's pages are long and alike: compressed they take a twentieth. Nothing else is compressed here.

Django pads each answer by a random length, so that its size does not tell what secrets stand in it (BREACH).
"""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware


class AdminGZip(GZipMiddleware):
    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        match = request.resolver_match
        if match is None or "admin" not in match.app_names:
            return response
        return super().process_response(request, response)
