"""The product's settings, on a database of the benchmarks' own."""

import os

from leadrouter.settings import *  # noqa: F403
from leadrouter.settings import DATABASES

DATABASES["default"]["NAME"] = os.environ.get("BENCH_DATABASE", "leadrouter_bench")
