"""How often something may happen in a minute, counted in Redis by all processes together. Without Redis it may happen.

A limit protects, it does not hold what is true: when Redis cannot be asked, leads are taken and people sign in.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from dataclasses import dataclass
from datetime import datetime

from django.core.cache import cache
from redis import RedisError

logger = logging.getLogger(__name__)

MINUTE = 60
BLOCKS = 100  # a process takes a hundredth of the limit at a time, so that few requests ask Redis
REST_SECONDS = 5.0  # for which a Redis that did not answer is not asked again


@dataclass(slots=True)
class Lease:
    """What this process may still use of a limit in the minute that runs."""

    left: int = 0
    used_up: bool = False


class Limits:
    """The limits as one process sees them."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.minute = 0
        self.leases: dict[str, Lease] = {}
        self.rest_until = float("-inf")  # monotonic seconds

    def wait(self, name: str, *, limit: int, at: datetime) -> int:
        """Use one of `limit` a minute; return 0, or the seconds after which there are more. limit 0: no limit."""
        if not limit:
            return 0
        seconds = at.timestamp()
        with self.lock:
            lease = self._lease(name, minute=int(seconds // MINUTE))
            if lease.left == 0 and not lease.used_up and time.monotonic() >= self.rest_until:
                self._renew(lease, name, limit=limit)
            if lease.used_up:
                return math.ceil(MINUTE - seconds % MINUTE) or 1
            lease.left = max(0, lease.left - 1)
            return 0

    def _lease(self, name: str, *, minute: int) -> Lease:
        if minute != self.minute:
            self.minute, self.leases = minute, {}
        return self.leases.setdefault(name, Lease())

    def _renew(self, lease: Lease, name: str, *, limit: int) -> None:
        block = max(1, limit // BLOCKS)
        key = f"limit:{name}:{self.minute}"
        try:
            cache.add(key, 0, timeout=2 * MINUTE)
            before = cache.incr(key, block) - block
        except (RedisError, OSError, ValueError) as error:  # ValueError: the key ran out in between
            self.rest_until = time.monotonic() + REST_SECONDS
            logger.warning("limits not counted: %s", type(error).__name__, extra={"action": "limits_not_counted"})
            return
        lease.left = min(block, max(0, limit - before))
        lease.used_up = lease.left == 0


limits = Limits()
