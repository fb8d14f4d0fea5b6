"""How often a key may be used: so many requests a minute, of all web processes together. Sessions are people's."""

from __future__ import annotations

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from accounts.security.limits import limits

from .authentication import Caller


class KeyLimit(BaseThrottle):
    """Refuses what a key sends beyond its limit, and says when to send it again."""

    seconds = 0

    def allow_request(self, request: Request, view: APIView) -> bool:
        caller = request.auth
        if not isinstance(caller, Caller) or caller.key_id is None:
            return True
        limit = settings.KEY_REQUESTS_PER_MINUTE if caller.key_limit is None else caller.key_limit
        self.seconds = limits.wait(f"key:{caller.key_id}", limit=limit, at=caller.at)
        return self.seconds == 0

    def wait(self) -> float:
        return self.seconds
