"""The documentation leads where it says."""

import re

from tests.data import REPOSITORY
from tests.test_architecture import SERVICES

LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")


def test_every_link_of_the_documentation_leads_to_a_file() -> None:
    pages = [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")]
    links = [(page, link) for page in pages for link in LINK.findall(page.read_text(encoding="utf-8"))]
    assert len(links) > 50
    assert [f"{page.name}: {link}" for page, link in links if not (page.parent / link).exists()] == []


def test_every_module_that_the_architecture_names_is_there() -> None:
    page = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = [
        REPOSITORY,
        REPOSITORY / "routing",
        REPOSITORY / "routing" / "engine",
        REPOSITORY / "leadrouter",
        REPOSITORY / "accounts",
    ]
    written = [path for path in re.findall(r"`([\w/]+(?:/|\.py))`", page) if not path.startswith("/")]
    folder, drawn = "", []
    for line in page.split("```")[3].splitlines():  # the second drawing: the rooms
        if top := re.match(r"[a-z]\w*/", line):
            folder = top[0]
            drawn.append(folder)
        names = line.strip().split("  ")[0]
        drawn += [folder + name for name in names.split() if re.fullmatch(r"\w+(/|\.py)", name) and name != folder]
    assert len(written) > 20
    assert len(drawn) > 40
    missing = [path for path in drawn if not (REPOSITORY / path).exists()]
    missing += [path for path in written if not any((room / path).exists() for room in rooms)]
    assert missing == []


def test_the_architecture_tells_the_order_of_services() -> None:
    page = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    told = page.split("among services: ")[1].split(".")[0]
    assert re.split(r"\s*→\s*", told.replace("\n  ", " ")) == SERVICES


def test_the_index_names_every_decision() -> None:
    decisions = REPOSITORY / "docs" / "decisions"
    index = (decisions.parent / "index.md").read_text(encoding="utf-8")
    assert [page.name for page in decisions.glob("*.md") if f"](decisions/{page.name})" not in index] == []
