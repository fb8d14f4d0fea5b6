"""The documentation leads where it says."""

import re

from tests.data import REPOSITORY

LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")


def test_every_link_of_the_documentation_leads_to_a_file() -> None:
    pages = [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")]
    links = [(page, link) for page in pages for link in LINK.findall(page.read_text(encoding="utf-8"))]
    assert len(links) > 50
    assert [f"{page.name}: {link}" for page, link in links if not (page.parent / link).exists()] == []


def test_the_index_names_every_decision() -> None:
    decisions = REPOSITORY / "docs" / "decisions"
    index = (decisions.parent / "index.md").read_text(encoding="utf-8")
    assert [page.name for page in decisions.glob("*.md") if f"](decisions/{page.name})" not in index] == []
