"""A passkey made of arithmetic: it answers as a browser and its authenticator do, and lies where a test tells it to."""

from __future__ import annotations

import hashlib
import json
import secrets
from base64 import urlsafe_b64encode
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from django.test import Client

ORIGIN = "http://testserver"
PRESENT, VERIFIED, ATTESTED = 1, 4, 64  # flags


class Authenticator:
    """One passkey, at one origin. Its count rises with each answer; count=None is one that never counts."""

    def __init__(self, origin: str = ORIGIN, *, domain: str = "", count: int | None = 0) -> None:
        self.origin, self.count = origin, count
        self.domain = domain or origin.partition("://")[2].partition(":")[0]
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.id = secrets.token_bytes(32)

    def make(self, question: dict[str, Any]) -> str:
        """Return what a browser sends of a new passkey."""
        numbers = self.key.public_key().public_numbers()
        public = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        attested = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + cbor2.dumps(public)
        told = {"fmt": "none", "attStmt": {}, "authData": self._data(PRESENT | VERIFIED | ATTESTED) + attested}
        client = self._client("webauthn.create", question)
        return self._answer(clientDataJSON=client, attestationObject=cbor2.dumps(told), transports=["internal"])

    def answer(self, question: dict[str, Any]) -> str:
        """Return what a browser sends when the passkey was used."""
        if self.count is not None:
            self.count += 1
        data, client = self._data(PRESENT | VERIFIED), self._client("webauthn.get", question)
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        return self._answer(clientDataJSON=client, authenticatorData=data, signature=signature)

    def _data(self, flags: int) -> bytes:
        domain = hashlib.sha256(self.domain.encode()).digest()
        return domain + bytes([flags]) + (self.count or 0).to_bytes(4, "big")

    def _client(self, kind: str, question: dict[str, Any]) -> bytes:
        told = {"type": kind, "challenge": question["challenge"], "origin": self.origin, "crossOrigin": False}
        return json.dumps(told).encode()

    def _answer(self, **response: Any) -> str:
        written = {name: _written(value) if isinstance(value, bytes) else value for name, value in response.items()}
        name = _written(self.id)
        return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": written})


def _written(value: bytes) -> str:
    return urlsafe_b64encode(value).decode().rstrip("=")


def offered(client: Client, **extra: Any) -> dict[str, Any]:
    return dict(client.post("/passkeys/offer/", **extra).json())


def asked(client: Client, **extra: Any) -> dict[str, Any]:
    return dict(client.post("/passkeys/ask/", **extra).json())


def add(client: Client, passkey: Authenticator, name: str = "Laptop", **extra: Any) -> Any:
    """Add the passkey on the page of whoever the client is; return what is answered."""
    return client.post("/passkeys/add/", {"name": name, "passkey": passkey.make(offered(client, **extra))}, **extra)
