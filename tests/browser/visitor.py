"""Somebody in front of a browser: signs in, looks at pages, and notices what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.test import Client

from accounts.models import User

DESKTOP = {"width": 1366, "height": 850}
PHONE = {"width": 390, "height": 844}
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
PATIENCE = 45_000  # milliseconds; the machine may be busy


class Visitor:
    """A browser of their own: cookies, one page, and what it complained about."""

    def __init__(
        self,
        chromium: Any,
        address: str,
        pictures: Path,
        *,
        user: User | None = None,
        phone: bool = False,
        dark: bool = False,
        scripts: bool = True,
    ) -> None:
        self.address, self.pictures = address, pictures
        self.look = f"{'phone' if phone else 'desktop'}-{'dark' if dark else 'light'}"
        self.context = chromium.new_context(
            viewport=PHONE if phone else DESKTOP,
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
            java_script_enabled=scripts,
            locale="en",
        )
        self.context.set_default_timeout(PATIENCE)
        self.complaints: list[str] = []
        self.inspected = False
        self.page = self.context.new_page()
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        self.page.on("request", self._watch)
        if user is not None:
            self.sign_in(user)

    def sign_in(self, user: User) -> None:
        """Begin with the session of the user, as if they had signed in before."""
        client = Client()
        client.force_login(user)
        session = client.cookies[settings.SESSION_COOKIE_NAME].value
        self.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": self.address}])

    def open(self, path: str) -> Any:
        """Go to a page of ours, and return it as Playwright has it."""
        self.inspected = False
        self.page.goto(self.address + path)
        return self.page

    def assert_well_made(self, name: str, *, forgiving: tuple[str, ...] = ()) -> None:
        """Take a picture; then nothing may stick out sideways, and nobody may be shut out by how the page is made.

        forgiving: what the console may have said, and is forgotten.
        """
        self.page.screenshot(path=self.pictures / f"{name}-{self.look}.png", full_page=True)
        self.complaints = [c for c in self.complaints if not any(text in c for text in forgiving)]
        self.assert_nothing_complained()
        wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{name}: {wide} px stick out at {self.look}"
        self.inspected = True
        found = Axe().run(self.page, options=RULES).response["violations"]
        assert not found, [(v["id"], [node["html"] for node in v["nodes"]]) for v in found]

    def assert_nothing_complained(self) -> None:
        assert not self.complaints, self.complaints

    def _hear(self, message: Any) -> None:
        # Axe writes styles into the page it looks at, and the policy refuses them, then and whenever the page changes
        # after it. What is ours has been heard before, and is in every test that looks at nothing.
        if self.inspected and "Applying inline style violates" in message.text:
            return
        if message.type in ("error", "warning"):
            self.complaints.append(f"console: {message.text}")

    def _watch(self, request: Any) -> None:
        if urlsplit(request.url).netloc not in (urlsplit(self.address).netloc, ""):
            self.complaints.append(f"request to another host: {request.url}")
