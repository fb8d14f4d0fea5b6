"""The program without the lock of the registry: the chaos run must turn red on it."""

from leadrouter.settings import *  # noqa: F403
from leadrouter.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.chaos.without_lock.WithoutLock"]
