"""Admin pages as a browser sees them: what a form holds, and what it says is wrong."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from django.test import Client


class _Form(HTMLParser):
    """Collects what a browser would send of every named control."""

    def __init__(self) -> None:
        super().__init__()
        self.data: dict[str, list[str]] = {}
        self.select: str | None = None
        self.textarea: str | None = None
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = {name: value or "" for name, value in attrs}
        name = facts.get("name", "")
        if tag == "input" and name and facts.get("type") not in ("submit", "button"):
            ticked = facts.get("type") in ("checkbox", "radio")
            if not ticked or "checked" in facts:
                self.data.setdefault(name, []).append(facts.get("value", "on" if ticked else ""))
        elif tag == "select":
            self.select = name
        elif tag == "option" and self.select and "selected" in facts:
            self.data.setdefault(self.select, []).append(facts.get("value", ""))
        elif tag == "textarea" and name:
            self.textarea, self.text = name, ""

    def handle_data(self, data: str) -> None:
        if self.textarea:
            self.text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self.select = None
        elif tag == "textarea" and self.textarea:
            self.data.setdefault(self.textarea, []).append(self.text.removeprefix("\n"))
            self.textarea = None


def filled(client: Client, address: str) -> dict[str, Any]:
    """Return what the form of the page would send if nothing were changed."""
    response = client.get(address)
    assert response.status_code == 200, (address, response.status_code)
    return form_in(response)


def form_in(response: Any) -> dict[str, Any]:
    """Return what the form of an answer would send if nothing were changed."""
    reader = _Form()
    reader.feed(re.sub(r"(?s)<template.*?</template>", "", response.content.decode()))
    return {
        name: values for name, values in reader.data.items() if "__prefix__" not in name and not name.startswith("_")
    }


def save(client: Client, address: str, **changes: Any) -> Any:
    """Change the form of the page and send it."""
    return client.post(address, filled(client, address) | changes)


def errors(response: Any) -> dict[str, list[str]]:
    """Return what the form says beside its fields; a form that was taken has none."""
    return (
        dict(response.context["adminform"].form.errors) if response.context and "adminform" in response.context else {}
    )


def messages(response: Any) -> str:
    from django.contrib.messages import get_messages

    return "\n".join(str(message) for message in get_messages(response.wsgi_request))
