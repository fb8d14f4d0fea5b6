"""System checks of the installation. A wrong setting says how to mend it."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.core.checks import CheckMessage, Error
from django.db import connections

SAFE = {
    "fsync": {"on"},
    "full_page_writes": {"on"},
    "synchronous_commit": {"on", "local", "remote_write", "remote_apply"},
}

# What PostgreSQL may log without telling values: secrets, people. The first of each is what we advise.
SILENT = {
    "log_error_verbosity": ("terse",),
    "log_min_error_statement": ("panic", "fatal", "log"),
    "log_statement": ("none", "ddl"),
    "log_min_duration_statement": ("-1",),
    "log_min_duration_sample": ("-1",),
    "log_transaction_sample_rate": ("0",),
}


def unsafe_settings() -> dict[str, str]:
    """Return the settings of PostgreSQL that would let an acknowledged lead be lost, each with its value."""
    return _others_than(SAFE)


def talkative() -> dict[str, str]:
    """Return the settings by which PostgreSQL logs statements with what is in them."""
    return _others_than(SILENT)


def _others_than(wanted: Mapping[str, Collection[str]]) -> dict[str, str]:
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [list(wanted)])
        return {name: value for name, value in cursor.fetchall() if value not in wanted[name]}


def durability(*, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Refuse a database that answers before a commit is on disk. Run by `migrate` and `check --database default`."""
    if not databases or "default" not in databases:
        return []
    return [
        Error(
            f"PostgreSQL runs with {name} = {value}: a crash may lose acknowledged leads.",
            hint=f"ALTER SYSTEM RESET {name}; SELECT pg_reload_conf(); and look for ALTER ROLE … SET {name}.",
            id="leadrouter.E001",
        )
        for name, value in unsafe_settings().items()
    ]
