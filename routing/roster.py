"""The roster of the current configuration, cached by each process under the version that the database hands out.

A version is never used twice and becomes visible with its change (accounts, migration 0002). It is compared under the
lock of the registry, so a stale roster never decides.
"""

from __future__ import annotations

import threading
from collections.abc import Collection

from accounts.models import ConfigurationVersion

from .configuration.values import read_configuration
from .configuration.versions import configurations_of
from .policy import MemberFacts, Roster, SourceFacts, StageFacts, TriggerTerms, build

__all__ = [
    "MemberFacts",
    "Roster",
    "SourceFacts",
    "StageFacts",
    "TriggerTerms",
    "current",
    "read_version",
    "rosters_of",
]

_kept: Roster | None = None
_loading = threading.Lock()


def current(version: int | None = None) -> Roster:
    """Return the roster of this version of the configuration; None: of the current version."""
    version = read_version() if version is None else version
    kept = _kept
    return kept if kept is not None and kept.version == version else _load()


_then: dict[int, Roster] = {}  # rosters of old versions, which never change
MOST_THEN = 50


def rosters_of(versions: Collection[int], now: Roster) -> dict[int, Roster]:
    """Return the roster of each version, by version; one query for all that are not cached."""
    found = {version: _then[version] for version in versions if version in _then}
    missing = set(versions) - {now.version} - found.keys()
    if missing:
        if len(_then) + len(missing) > MOST_THEN:
            _then.clear()
        built: dict[int, Roster] = {}  # versions with the same configuration share a roster
        for version, configuration in configurations_of(missing).items():
            if id(configuration) not in built:
                built[id(configuration)] = build(configuration, version=version)
            found[version] = _then[version] = built[id(configuration)]
    return {**found, now.version: now}


def read_version() -> int:
    return ConfigurationVersion.objects.values_list("version", flat=True).first() or 0


def _load() -> Roster:
    global _kept
    with _loading:
        while True:
            version = read_version()
            if _kept is not None and _kept.version == version:
                return _kept
            roster = _read(version)
            if read_version() == version:  # nothing changed while it was read in several queries
                _kept = roster
                return roster


def _read(version: int) -> Roster:
    return build(read_configuration(), version=version)
