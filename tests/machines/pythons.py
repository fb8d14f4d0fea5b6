"""Which Pythons there are on this machine.

    python -m tests.machines.pythons oldest
    python -m tests.machines.pythons newest
    python -m tests.machines.pythons other    the newest, or the oldest where we run by the newest; nothing if there is no other

The standard library only: it is asked before there is an environment.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

OLDEST_MINOR = 11
FACTS = "import ensurepip, json, ssl, sys; print(json.dumps([sys.version_info[:3], sys.base_prefix, sys.implementation.name]))"


def candidates() -> list[str]:
    """Return what may be a Python: on the path, and where pyenv and uv put theirs."""
    names = [f"python3.{minor}" for minor in range(OLDEST_MINOR, OLDEST_MINOR + 10)] + ["python3"]
    places = [None, "/usr/local/bin", "/usr/bin"]  # a shim on the path may hide the system's own
    found = [shutil.which(name, path=place) for place in places for name in names]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    uv = Path.home() / ".local" / "share" / "uv" / "python"
    theirs = sorted([*pyenv.glob("versions/*/bin/python3"), *uv.glob("*/bin/python3")])
    return [*(name for name in found if name), *map(str, theirs), sys.executable]


def pythons() -> dict[tuple[int, ...], str]:
    """Return the Pythons that can make an environment of their own, by their version, from the oldest."""
    found: dict[tuple[int, ...], str] = {}
    for candidate in dict.fromkeys(candidates()):
        done = subprocess.run([candidate, "-c", FACTS], capture_output=True, text=True, check=False)
        if done.returncode:
            continue  # a shim without a version behind it, or one that lacks ensurepip
        numbers, prefix, implementation = json.loads(done.stdout)
        program = Path(prefix) / "bin" / f"python{numbers[0]}.{numbers[1]}"  # not a shim or an environment
        if implementation == "cpython" and numbers >= [3, OLDEST_MINOR] and program.exists():
            found.setdefault(tuple(numbers), str(program))
    return dict(sorted(found.items()))


def other(there: dict[tuple[int, ...], str], ours: tuple[int, ...]) -> str:
    """Return the Python that is farthest from ours, or "" where all are of our minor version."""
    oldest, newest = min(there), max(there)
    chosen = oldest if newest[:2] == ours else newest
    return there[chosen] if chosen[:2] != ours else ""


def main(arguments: list[str]) -> int:
    there = list(pythons().values())
    match arguments:
        case ["oldest"]:
            print(there[0])
        case ["newest"]:
            print(there[-1])
        case ["other"]:
            print(other(pythons(), sys.version_info[:2]))
        case []:
            print("\n".join(there))
        case _:
            print("usage: python -m tests.machines.pythons [oldest|newest|other]", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
