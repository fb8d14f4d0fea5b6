"""What all tests share: the private services, apart for each worker of pytest-xdist."""

import os

import pytest
from django.conf import settings


def worker_number() -> int:
    """Return 0 without pytest-xdist or in its first worker, 1 in its second, and so on."""
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


@pytest.hookimpl(tryfirst=True)
def pytest_configure() -> None:
    """Give each worker its own Redis databases, far from those of `make run`; test databases Django keeps apart itself."""
    from leadrouter import private_services

    first = 16 + 2 * worker_number()
    settings.CACHES["default"]["LOCATION"] = private_services.cache_url(settings.REDIS_URL, first)
    settings.CELERY_BROKER_URL = private_services.broker_url(settings.REDIS_URL, first + 1)
    # A debugger or a slow machine may leave a transaction of a test idle for long.
    options = settings.DATABASES["default"]["OPTIONS"]
    if "options" in options:
        options["options"] += " -c idle_in_transaction_session_timeout=0"
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
