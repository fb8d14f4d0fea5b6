"""A browser for the tests that need one. They skip themselves without Chromium, and are left out without Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright import sync_api as playwright

from .visitor import PATIENCE, Visitor

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# Playwright's synchronous calls run inside an event loop, in which Django refuses the database; these tests use one thread.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("There is no Chromium")
    playwright.expect.set_options(timeout=PATIENCE)
    with playwright.sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Any, live_server: Any, tmp_path: Path) -> Iterator[Callable[..., Visitor]]:
    """Return a function that opens a browser for somebody; at the end no page may have complained."""
    pictures = Path(os.environ.get("LEADROUTER_SCREENSHOTS") or tmp_path)
    visitors: list[Visitor] = []

    def open_browser(**facts: Any) -> Visitor:
        visitors.append(Visitor(chromium, live_server.url, pictures, **facts))
        return visitors[-1]

    yield open_browser
    with _closing(visitors):
        for visitor in visitors:
            visitor.assert_nothing_complained()


@contextmanager
def _closing(visitors: list[Visitor]) -> Iterator[None]:
    try:
        yield
    finally:
        for visitor in visitors:
            visitor.context.close()
