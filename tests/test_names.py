"""How functions and classes are named, read with `ast`: a test lists those that say neither what they do nor what they are."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator

from tests.test_architecture import REPOSITORY

OURS = ("accounts", "routing", "reports", "leadrouter")
MOST = 0.015  # of all names; columns of the admin, and adjectives of querysets, are participles with reason
# fmt: off
IRREGULAR = {
    "shown", "told", "given", "taken", "written", "known", "seen", "kept", "held", "made", "found", "lost", "sent",
    "done", "gone", "left", "drawn", "chosen", "spoken", "broken", "begun", "met", "won", "built", "bought", "heard",
    "led", "paid", "said", "sold", "thought", "understood",
}
# fmt: on
NO_PARTICIPLES = {"need", "feed", "speed", "seed", "embed", "proceed", "exceed"}


def is_participle(name: str) -> bool:
    word = re.split("_+", name.strip("_"))[0]
    return (word.endswith("ed") and word not in NO_PARTICIPLES) or word in IRREGULAR


# The one thing as a row, as the configuration has it, and as the engine needs it; and what Django calls each command.
MANY = {"Manager", "Member", "Command"}


def names() -> Iterator[tuple[str, str]]:
    """Yield the name of each function, and where it is."""
    for folder in OURS:
        for path in sorted((REPOSITORY / folder).rglob("*.py")):
            if "migrations" not in path.parts:
                for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                        yield node.name, f"{path.relative_to(REPOSITORY)}:{node.lineno}"


def test_functions_are_verbs_or_nouns():
    found = list(names())
    participles = [f"{place} {name}" for name, place in found if is_participle(name)]
    assert len(participles) <= MOST * len(found), "Name these by a verb or a noun:\n" + "\n".join(participles)


def test_a_participle_would_be_seen():
    assert all(map(is_participle, ["_named", "shown", "_taken", "stored_at", "unexpected"]))
    assert not any(map(is_participle, ["_read", "feed", "name_of", "needs", "standings"]))


def test_no_class_name_stands_for_three_things():
    places: dict[str, list[str]] = defaultdict(list)
    for folder in OURS:
        for path in sorted((REPOSITORY / folder).rglob("*.py")):
            for node in ast.parse(path.read_text(encoding="utf-8")).body if "migrations" not in path.parts else ():
                if isinstance(node, ast.ClassDef):
                    places[node.name].append(str(path.relative_to(REPOSITORY)))
    assert len(places["Command"]) > 5
    assert {name: at for name, at in places.items() if len(at) > 2 and name not in MANY} == {}
