"""What all tests share: the private services, apart for each worker and for runs at the same time."""

import gc
import os
from collections.abc import Iterator
from contextlib import ExitStack
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from types import SimpleNamespace
from typing import IO, Any

import pytest
from django.apps import AppConfig, apps
from django.conf import settings
from django.db import connection, transaction
from django.db.models.signals import post_migrate
from django.test import TransactionTestCase
from django.utils import translation
from hypothesis import HealthCheck
from hypothesis import settings as examples
from whitenoise.middleware import WhiteNoiseMiddleware

from leadrouter import health
from leadrouter.development import private_services
from tests.effort import by_night
from tests.template_database import NoTemplate, template

WORKERS = 16  # of one run, at most
DRIVERS = ("playwright", "axe_playwright_python")  # of the tests in tests/browser; `make browser` installs them
collect_ignore = [] if all(map(find_spec, DRIVERS)) else ["browser"]
LONGEST = [
    *("test_faults.py", "test_devserver.py", "test_chaos.py", "test_lists_at_scale.py", "test_caddy.py"),
    *("test_replay.py", "test_all_pages.py", "test_concurrency.py", "test_interleavings.py", "test_races.py"),
    *("test_admin_routing.py", "test_permissions.py", "test_schedules.py", "test_configuration.py", "test_intake.py"),
]
_run: list[IO[str]] = []  # the lock of this run, held until it ends
_notes: list[str] = []  # what whoever reads the last lines of a run should know


# The machine may be busy: what a test says is not how fast. A property that does not hold shows in some of the examples.
examples.register_profile(
    "busy", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=by_night(100, by_day=15)
)
examples.load_profile("busy")


def pytest_report_header() -> list[str]:
    return ["tests/browser is left out: `make browser` installs what drives a browser"] if collect_ignore else []


def run_number() -> int:
    """Return the number of this run of the tests among those under way in this checkout, from 0."""
    if "LEADROUTER_TEST_RUN" not in os.environ:  # workers of pytest-xdist have it from their controller
        folder = private_services.make_folder(private_services.VAR / "run")
        for number in range(7):
            _run.append(private_services.open_lock(folder / f"tests-{number}"))
            if private_services.try_lock(_run[-1]):
                break
        os.environ["LEADROUTER_TEST_RUN"] = str(number)
    return int(os.environ["LEADROUTER_TEST_RUN"])


def pytest_unconfigure() -> None:
    while _run:
        _run.pop().close()


def worker_number() -> int:
    """Return 0 without pytest-xdist or in its first worker, 1 in its second, and so on."""
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that at the end no worker waits for another."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


def pytest_collection_finish() -> None:
    """Spare the collector of garbage what stays until the end, and let it look less often: a sixth of what a run computes."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def pytest_runtest_teardown() -> None:
    """Forget the language of whoever asked for a page, and the requests counted: the next test begins anew."""
    translation.deactivate()
    for counted in (health.REQUESTS, health.SECONDS):
        counted.clear()


def list_static_files_once() -> None:
    """Spare each test client, which makes the middleware anew, the walk over all static files: they stay the same."""
    walk, found = WhiteNoiseMiddleware.add_files_from_finders, {}

    def list_files(self: WhiteNoiseMiddleware) -> None:
        if not found:
            walk(self)
            found.update(self.files)
        self.files.update(found)

    WhiteNoiseMiddleware.add_files_from_finders = list_files


@pytest.hookimpl(tryfirst=True)
def pytest_configure() -> None:
    """Give each run its own test database and each worker its own Redis databases; pytest-django parts the workers."""
    run = run_number()
    database = settings.DATABASES["default"]
    database.setdefault("TEST", {})["NAME"] = f"test_{database['NAME']}" + (f"_{run}" if run else "")
    # `make run` has the databases below 16. A Redis of somebody else has 16 in all; there some runs may share one.
    number = WORKERS * run + worker_number()
    first = 4 + 2 * (number % 6) if settings.REDIS_URL else 16 + 2 * number
    settings.CACHES["default"]["LOCATION"] = private_services.cache_url(settings.REDIS_URL, first)
    settings.CELERY_BROKER_URL = private_services.broker_url(settings.REDIS_URL, first + 1)
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    # A debugger or a busy machine may leave a transaction of a test idle for long.
    if "options" in database["OPTIONS"]:
        database["OPTIONS"]["options"] += " -c idle_in_transaction_session_timeout=0"
    list_static_files_once()
    post_migrate.connect(bring_back_groups)
    TransactionTestCase._fixture_teardown = empty_tables


@pytest.fixture(scope="session")
def template_in_use() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    request: pytest.FixtureRequest, django_db_modify_db_settings_parallel_suffix: None, django_db_use_migrations: bool,
    django_db_blocker: Any, template_in_use: ExitStack,
) -> None:  # fmt: skip
    """Have the test database made as a copy of a migrated one. Django then applies what is missing, which is nothing."""
    test = connection.settings_dict["TEST"]
    if django_db_use_migrations and not test.get("TEMPLATE"):
        try:
            with django_db_blocker.unblock():
                test["TEMPLATE"] = template_in_use.enter_context(template(f"test_{connection.settings_dict['NAME']}"))
        except NoTemplate as reason:
            notes = getattr(request.config, "workeroutput", {}).setdefault("notes", _notes)
            notes.append(f"The test database was migrated anew, without a template: {reason}")


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, template_in_use: ExitStack) -> None:
    template_in_use.close()


def pytest_testnodedown(node: Any) -> None:
    _notes.extend(getattr(node, "workeroutput", {}).get("notes", []))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for note in dict.fromkeys(_notes):
        terminalreporter.write_line(note, yellow=True)


# After a test with transactions of its own, Django empties all tables by TRUNCATE, and makes rights and groups again: most
# of a second, for a few rows as a rule. Those are deleted in a tenth of that.
KEPT = ["auth_group", "auth_group_permissions", "auth_permission", "django_content_type", "django_migrations"]
MUCH = 1_000_000  # bytes of a table; to delete so much would leave holes
_kept_as: list[str] = []  # what the tables held when they were first looked at
_flush = TransactionTestCase._fixture_teardown


def empty_tables(case: TransactionTestCase | None = None) -> None:
    """Leave the tables as a flush would; where that is no matter of a few rows, flush."""
    if not (_kept_as and delete_rows()):
        _flush(case or TransactionTestCase())
        _kept_as[:] = [kept()]


def delete_rows() -> bool:
    """Delete what a test has written; tell whether that was all there is to do."""
    tables = sorted(set(connection.introspection.django_table_names(only_existing=True)) - set(KEPT))
    quoted = {table: connection.ops.quote_name(table) for table in tables}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {', '.join(quoted.values())} IN ACCESS EXCLUSIVE MODE")  # whoever still writes ends
        sizes = " UNION ALL ".join(
            f"SELECT '{table}', pg_table_size('{name}') FROM {name} HAVING count(*) > 0"
            for table, name in quoted.items()
        )
        cursor.execute(sizes)
        written = dict(cursor.fetchall())
        if any(size > MUCH for size in written.values()) or kept() != _kept_as[0]:
            return False
        cursor.execute("SET LOCAL session_replication_role = replica")  # no trigger, no foreign key: all goes
        for table in written:
            cursor.execute(f"DELETE FROM {quoted[table]}")
    return True


def kept() -> str:
    """Return what the tables that stay hold."""
    rows = ", ".join(f"(SELECT string_agg(t::text, ',' ORDER BY t::text) FROM {table} t)" for table in KEPT)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT md5(concat_ws('|', {rows}))")
        return cursor.fetchone()[0]


def bring_back_groups(sender: AppConfig, **_: Any) -> None:
    """Make the groups of the migrations again: a test with transactions of its own ends by emptying all tables.

    Which tests come after it in one worker is chance. After emptying, Django sends `post_migrate` for one app after
    the other; with the last one the permissions are there that the groups need.
    """
    last = [app for app in apps.get_app_configs() if app.models_module is not None][-1]
    if sender.name == last.name:
        editor = SimpleNamespace(connection=connection)
        for module in sorted(found.name for found in iter_modules(import_module("routing.migrations").__path__)):
            make_groups = getattr(import_module(f"routing.migrations.{module}"), "make_groups", None)
            if make_groups:
                make_groups(apps, editor)
        import_module("reports.migrations.0001_permissions").permit(apps, editor)
