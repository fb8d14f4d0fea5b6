"""The settings of the floor: the same Django and database, no middleware, three views."""

from benchmarks.settings import *  # noqa: F403

ROOT_URLCONF = "benchmarks.floor"
MIDDLEWARE: list[str] = []
