"""The export: what is stored, as one file."""

from __future__ import annotations

from typing import Any

from accounts.models import ConfigurationVersion
from routing.locks import ConfigurationChanged, retry

from . import text
from .rows import document, read_stored
from .versions import read_version


def export_configuration(*, version: int | None = None) -> str:
    """Return the configuration as YAML, in a stable order; importing it changes nothing.

    version: as it was then. Raises VersionUnknown.
    """
    return text.write(configuration_document() if version is None else document(read_version(version)))


def configuration_document() -> dict[str, Any]:
    """Return the configuration as the plain document that the file is. Raises Busy."""
    return retry(_document)


def _document() -> dict[str, Any]:
    """Return what several queries read, if no change of configuration became visible between them."""
    version = _version()
    found = document(read_stored())
    if _version() != version:
        raise ConfigurationChanged
    return found


def _version() -> int | None:
    return ConfigurationVersion.objects.values_list("version", flat=True).first()
