"""How slow, how large and how many clients may be."""

from __future__ import annotations

import mmap
import secrets
import struct
from dataclasses import dataclass
from hashlib import blake2b
from ipaddress import ip_address


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Seconds, bytes, and counts."""

    head_seconds: float = 10  # from the first byte of a request to the end of its head
    silence_seconds: float = 10  # without a byte of a body
    bytes_per_second: float = 500  # of a body, over the whole of it; not judged before silence_seconds are over
    body_seconds: float = 900  # for a whole body, however steady
    idle_seconds: float = 75  # between two requests; longer than a proxy keeps a connection
    send_seconds: float = 30  # without a byte that the client takes of an answer
    linger_seconds: float = 10  # for a client to hear an answer that was given before its body was read
    linger_bytes: int = 32 << 20
    look_seconds: float = 0.25  # after which a head is looked at without its body
    head_bytes: int = 64 << 10
    headers: int = 100
    target_bytes: int = 16 << 10
    body_bytes: int = 16 << 20
    held_bytes: int = 1 << 30  # of all bodies of one process
    memory_bytes: int = 1 << 20  # of one body or answer; what is larger is kept in a temporary file
    per_address: int = 64  # connections of one client address, over all processes; 0: any
    connections: int = 8_192  # of one process; of more, who is slowest goes
    turned_away: int = 256  # of these: no longer counted, and about to hear 429; of more, the oldest is cut off
    turned_away_seconds: float = 2  # for the head of a request to come that is refused


SLOTS = 1 << 16
SLOT = struct.Struct("=H")


class Addresses:
    """Count the connections of each client address over all processes, which share this memory.

    Each process writes into a row of its own, so nobody needs a lock. Addresses are counted under a keyed digest: of two
    that share a slot, and nobody can choose one, both count.
    """

    def __init__(self, processes: int) -> None:
        self._memory = mmap.mmap(-1, processes * SLOTS * SLOT.size)
        self._processes = processes
        self._key = secrets.token_bytes(16)

    def slot(self, address: str) -> int:
        """Return the slot of an address; of IPv6 a household has a whole /64."""
        try:
            number = ip_address(address.partition("%")[0])
        except ValueError:  # a Unix socket
            return 0
        number = getattr(number, "ipv4_mapped", None) or number
        digest = blake2b(number.packed[:8], key=self._key, digest_size=4).digest()
        return int.from_bytes(digest) % SLOTS

    def add(self, process: int, slot: int, number: int) -> None:
        at = (process * SLOTS + slot) * SLOT.size
        SLOT.pack_into(self._memory, at, max(0, SLOT.unpack_from(self._memory, at)[0] + number))

    def total(self, slot: int) -> int:
        places = range(slot * SLOT.size, len(self._memory), SLOTS * SLOT.size)
        return sum(SLOT.unpack_from(self._memory, at)[0] for at in places)

    def own(self, process: int, slot: int) -> int:
        return int(SLOT.unpack_from(self._memory, (process * SLOTS + slot) * SLOT.size)[0])

    def forget(self, process: int) -> None:
        """Start a row anew, whose process has ended."""
        size = SLOTS * SLOT.size
        self._memory[process * size : (process + 1) * size] = bytes(size)
