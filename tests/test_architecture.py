"""Which way imports point: read with `ast`, so that a test names the line that breaks the order."""

import ast
import sys
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
APPS = ["reports", "routing", "accounts"]  # left may import right
OURS = [*APPS, "leadrouter", "benchmarks", "tests"]

# Rooms of routing, from the top; a room may import those in the lines below it, and those beside it in its own line.
ROOMS = [
    {"api", "views", "forms", "urls", "admin", "management", "demo", "apps", "checks"},
    {"tasks"},
    {"services", "audit", "personal_data", "timelines", "screens", "configuration_warnings"},
    {"candidates", "representations", "links"},
    {"roster"},
    {"configuration"},
    {"locks"},
    {"models", "exceptions", "prepared_statements", "json_text", "spreadsheets"},
    {"policy"},
    {"engine", "wording"},
    {"intake"},
]
# The ladder of services: each file imports only those below it.
SERVICES = [
    "sweep",
    "setbacks",
    "deadlines",
    "imports",
    "journal",
    "off_boarding",
    "intake",
    "hand_over",
    "stages",
    "offers",
    "assignment",
    "distribution",
    "merging",
    "contact_points",
    "duplicates",
]
# Arithmetic: the standard library, and what is named here.
PURE = {
    "routing/engine": set(),
    "routing/policy": set(),
    "routing/intake": {"phonenumbers", "anyascii", "nicknames", "langcodes", "rapidfuzz"},
    "routing/wording": {"django"},  # its translations
    "routing/spreadsheets/number_formats.py": set(),
    "routing/spreadsheets/workbook.py": set(),
    "routing/spreadsheets/workbook_process.py": set(),
    "accounts/time/schedules.py": set(),
    "accounts/time/timetables.py": set(),
    "accounts/time/periods.py": set(),
    "accounts/time/holidays.py": {"holidays"},
    "accounts/time/instants.py": set(),
    "accounts/time/date_words.py": {"django"},
    "reports/rings.py": set(),
    "reports/drawing.py": set(),
    "reports/pictures.py": set(),
    "reports/charts.py": set(),
    "reports/fairness.py": set(),
    "reports/statistics.py": set(),
}
CLOCKS = {"now", "utcnow", "today", "time", "time_ns"}


def files(*places: str) -> list[Path]:
    found = [REPOSITORY / place for place in places]
    found = [path for place in found for path in (sorted(place.rglob("*.py")) if place.is_dir() else [place])]
    return [path for path in found if path.exists() and "migrations" not in path.parts]


def module_of(path: Path) -> list[str]:
    parts = list(path.relative_to(REPOSITORY).with_suffix("").parts)
    return parts[:-1] if parts[-1] == "__init__" else parts


@cache
def nodes(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


@cache
def imports(path: Path) -> list[tuple[str, list[str], ast.stmt]]:
    """Return where each import stands, what it names in full, as parts, and its node."""
    package = module_of(path) if path.name == "__init__.py" else module_of(path)[:-1]
    found: list[tuple[str, list[str], ast.stmt]] = []
    for node in nodes(path):
        place = f"{path.relative_to(REPOSITORY)}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Import):
            for alias in node.names:
                found.append((place, alias.name.split("."), node))
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            base = [*base, *(node.module.split(".") if node.module else [])]
            for alias in node.names:
                found.append((place, [*base, alias.name], node))
    return found


def rung(module: list[str]) -> int | None:
    """Return how far down the room is in which a module of routing lives."""
    if len(module) < 2 or module[0] != "routing":
        return None
    return next((level for level, rooms in enumerate(ROOMS) if module[1] in rooms), None)


def test_every_room_of_routing_has_its_place_in_the_order():
    known = set().union(*ROOMS) | {"__init__", "migrations", "__pycache__", "static", "locale", "templates"}
    rooms = {path.stem for path in (REPOSITORY / "routing").iterdir()}
    assert rooms <= known, f"say where {sorted(rooms - known)} stand in ROOMS"


def naming(apps: set[str], *places: str) -> list[str]:
    """Return the lines of these places that import one of the apps."""
    lines = ((line, name) for path in files(*places) for line, name, _ in imports(path))
    return [f"{line} imports {'.'.join(name)}" for line, name in lines if name[0] in apps]


@pytest.mark.parametrize("app", APPS)
def test_apps_import_those_on_their_right(app):
    assert not naming({*APPS[: APPS.index(app)], "benchmarks", "tests"}, app)


def test_nobody_imports_the_wiring():
    assert not naming({"leadrouter"}, *APPS)


def test_inside_routing_imports_point_down():
    broken = []
    for path in files("routing"):
        mine = rung(module_of(path))
        for place, name, _ in imports(path):
            theirs = rung(name)
            if mine is not None and theirs is not None and theirs < mine:
                broken.append(f"{place} imports {'.'.join(name)}")
    assert not broken


def test_services_are_a_ladder():
    assert {path.stem for path in files("routing/services")} - {"__init__"} == set(SERVICES)
    broken = []
    for path in files("routing/services"):
        if path.stem not in SERVICES:
            continue
        above = set(SERVICES[: SERVICES.index(path.stem)])
        for place, name, _ in imports(path):
            if name[:2] == ["routing", "services"] and len(name) > 2 and name[2] in above:
                broken.append(f"{place} imports {'.'.join(name)}")
    assert not broken


@pytest.mark.parametrize("place", PURE)
def test_arithmetic_needs_nothing_but_the_standard_library(place):
    broken = []
    for path in files(place):
        for line, name, _ in imports(path):
            standard = name[0] in sys.stdlib_module_names or name[0] in PURE[place]
            beside = any(f"{'/'.join(name[:depth])}{suffix}" in PURE for depth in (2, 3) for suffix in ("", ".py"))
            if not standard and not beside:
                broken.append(f"{line} imports {'.'.join(name)}")
    assert not broken


@pytest.mark.parametrize("place", PURE)
def test_arithmetic_reads_no_clock(place):
    broken = [
        f"{path.relative_to(REPOSITORY)}:{node.lineno} calls {node.func.attr}()"
        for path in files(place)
        for node in nodes(path)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCKS
        if isinstance(node.func.value, ast.Name) and node.func.value.id in {"datetime", "date", "time", "timezone"}
    ]
    assert not broken


def test_below_a_door_nobody_reads_a_clock():
    below = ["routing/services", "routing/candidates.py", "routing/roster.py", "routing/representations.py"]
    below += ["accounts/services.py", "accounts/time/availability.py"]
    broken = [
        f"{path.relative_to(REPOSITORY)}:{node.lineno}"
        for path in files(*below)
        for node in nodes(path)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCKS
    ]
    assert not broken


def test_no_import_of_ours_hides_inside_a_function():
    hidden = [
        f"{place} imports {'.'.join(name)}"
        for path in files("routing/services", "routing/engine", "routing/models", "routing/candidates.py")
        for place, name, node in imports(path)
        if name[0] in OURS and node.col_offset
    ]
    assert not hidden


def test_services_enqueue_nothing():
    broken = [
        f"{place} imports {'.'.join(name)}"
        for path in files("routing/services", "accounts/services.py")
        for place, name, _ in imports(path)
        if name[0] == "celery" or name[:2] == ["routing", "tasks"]
    ]
    assert not broken


def test_there_are_no_signals():
    broken = [
        f"{place} imports {'.'.join(name)}"
        for path in files(*APPS)
        for place, name, _ in imports(path)
        if "signals" in name and "django" in name
    ]
    assert not broken


def test_a_broken_order_would_be_seen(tmp_path, monkeypatch):
    """The tests above read imports as Python does, relative ones as well."""
    monkeypatch.setattr(sys.modules[__name__], "REPOSITORY", tmp_path)
    path = tmp_path / "routing" / "services" / "offers.py"
    path.parent.mkdir(parents=True)
    path.write_text(
        "from ..intake import text\nfrom .sweep import sweep\nimport leadrouter.settings\nfrom . import stages\n"
    )
    assert [(place.rpartition(":")[2], ".".join(name)) for place, name, _ in imports(path)] == [
        ("1", "routing.intake.text"),
        ("2", "routing.services.sweep.sweep"),
        ("3", "leadrouter.settings"),
        ("4", "routing.services.stages"),
    ]
    assert naming({"leadrouter"}, "routing") == ["routing/services/offers.py:3 imports leadrouter.settings"]
    assert rung(["routing", "intake", "text"]) > rung(["routing", "services", "offers"])
