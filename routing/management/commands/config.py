"""The configuration as a file: export and import."""

from __future__ import annotations

import getpass
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.history.changes import sign_changes
from routing.configuration import (
    MAX_BYTES,
    BadConfiguration,
    VersionUnknown,
    export_configuration,
    import_configuration,
)
from routing.exceptions import Busy


class Command(BaseCommand):
    help = "Export the configuration to a YAML file, or import one. An import applies everything, or nothing if there is an error."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="export|import")
        to_file = actions.add_parser("export", help="write the configuration to a file")
        to_file.add_argument("file", metavar="FILE", help="- is standard output")
        to_file.add_argument("--version", type=int, dest="number", metavar="N", help="as it was at this version")
        from_file = actions.add_parser("import", help="change the configuration to match a file")
        from_file.add_argument("file", metavar="FILE", help="- is standard input")
        from_file.add_argument("--dry-run", action="store_true", help="only report")
        from_file.add_argument(
            "--prune", action="store_true", help="remove objects that the file's sections do not name"
        )

    def handle(self, **options: Any) -> None:
        if options["action"] == "export":
            self.export(options["file"], version=options["number"])
        else:
            self.take(options["file"], dry_run=options["dry_run"], prune=options["prune"])

    def export(self, name: str, *, version: int | None) -> None:
        try:
            text = export_configuration(version=version)
        except (VersionUnknown, Busy) as error:
            raise CommandError(error.detail) from None
        if name == "-":
            self.stdout.write(text, ending="")
            return
        try:
            _write(Path(name), text)
        except OSError as error:
            raise CommandError(f"{name}: {error.strerror}") from None
        self.stderr.write(f"The configuration is in {name}.")

    def take(self, name: str, *, dry_run: bool, prune: bool) -> None:
        try:
            with sign_changes(way=f"manage.py config import {name}, {getpass.getuser()}"):
                report = import_configuration(_read(name), dry_run=dry_run, prune=prune)
        except OSError as error:
            raise CommandError(f"{name}: {error.strerror}") from None
        except Busy as error:
            raise CommandError(error.detail) from None
        except BadConfiguration as error:
            errors = "1 error" if error.count == 1 else f"{error.count:,} errors"
            raise CommandError(f"{error}\n{errors}. Nothing was changed.") from None
        self.stdout.write(str(report))


def _read(name: str) -> bytes:
    # One byte more than may be: enough to see that it is too long, whatever is at the other end.
    if name == "-":
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    with Path(name).open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _write(path: Path, text: str) -> None:
    """Write the file whole or not at all: a full disk must not leave half a configuration under the old name."""
    if path.exists() and not path.is_file():  # /dev/stdout, a pipe
        path.write_text(text, encoding="utf-8")
        return
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as file:
        file.write(text)
    try:
        umask = os.umask(0)
        os.umask(umask)
        Path(file.name).chmod(path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~umask)
        Path(file.name).replace(path)
    except OSError:
        Path(file.name).unlink(missing_ok=True)
        raise
