"""`make bench`: how fast leads are taken and routed, as ratios in one run."""

import os
import sys

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
django.setup()

from benchmarks import http  # noqa: E402  Django comes first

sys.exit(http.main())
