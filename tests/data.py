"""Where the tests find the data sets that are not part of the repository."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


def data_path(name: str) -> Path:
    """Return the path of a data set named like "febrl/dataset1.csv", or skip the test without it."""
    folder = Path(os.environ.get("LEADROUTER_DATA") or REPOSITORY.parent / "shared" / "data")
    path = folder / name
    if not path.exists():
        pytest.skip(f"no {name} in {folder}; LEADROUTER_DATA names another folder")
    return path
