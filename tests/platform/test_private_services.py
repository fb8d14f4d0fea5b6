"""The private PostgreSQL and Redis: shared by all, gone with the last user, started from any state."""

import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from leadrouter.development import private_services

from .processes import SQL, House, house, until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc"),
]
USER = "from leadrouter.development import private_services as p; p.use('postgresql', 'redis'); print('ready', flush=True); "


@pytest.fixture
def home():
    with house() as home:
        yield home


def start_user(home: House):
    """Start a program that uses both services until it is ended."""
    user = home.start("-c", USER + "import time; time.sleep(300)")
    assert user.stdout.readline() == "ready\n"
    return user


def end(user, number: int = signal.SIGTERM) -> None:
    user.send_signal(number)
    user.communicate(timeout=20)


def test_a_command_finds_its_database_and_leaves_nothing_running(home):
    assert home.sql("SELECT current_setting('fsync') || current_setting('synchronous_commit')") == "onon"
    assert home.wait_for_nobody() == []


def test_a_management_command_starts_what_it_needs_and_stops_it_again(home):
    done = home.run("manage.py", "showmigrations", "contenttypes")
    assert "[ ] 0001_initial" in done.stdout
    assert home.wait_for_nobody(seconds=5) == []


def test_what_was_committed_is_there_at_the_next_start(home):
    home.sql("CREATE TABLE kept AS SELECT 42 AS answer")
    assert home.wait_for_nobody() == []
    assert home.sql("SELECT answer FROM kept") == "42"


def test_a_service_stays_for_its_other_user_and_ends_with_the_last(home):
    first, second = start_user(home), start_user(home)
    end(first)
    assert home.sql("SELECT 1") == "1"
    assert len(home.processes(program="keep")) == 2, "one keeper a service, still the first ones"
    end(second)
    assert home.wait_for_nobody() == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_user_that_was_ended_leaves_nothing(home, number):
    end(start_user(home), number)
    assert home.wait_for_nobody() == []


def test_a_killed_keeper_takes_its_service_along_and_the_next_start_works(home):
    user = start_user(home)
    home.sql("CREATE TABLE kept AS SELECT 42 AS answer")
    for keeper in home.processes(program="keep"):
        os.kill(keeper, signal.SIGKILL)
    assert home.sql("SELECT answer FROM kept") == "42"
    end(user)
    assert home.wait_for_nobody() == []


def test_a_killed_server_is_started_again(home):
    user = start_user(home)
    for server in home.processes(program="bin/postgres"):
        os.kill(server, signal.SIGKILL)
    assert until(lambda: home.run("-c", SQL, "SELECT 1").returncode == 0, seconds=30)
    end(user)
    assert home.wait_for_nobody() == []


def test_everything_killed_at_once_starts_again_over_stale_files(home):
    user = start_user(home)
    home.sql("CREATE TABLE kept AS SELECT 42 AS answer")
    for process in home.processes():
        with suppress(ProcessLookupError):  # one may end with another
            os.kill(process, signal.SIGKILL)
    user.communicate(timeout=10)
    assert home.wait_for_nobody() == []
    assert (home.var / "postgresql" / "postmaster.pid").exists(), "as after a loss of power"
    assert home.sql("SELECT answer FROM kept") == "42"


def test_a_pid_that_went_to_another_program_does_not_stop_the_start(home):
    home.sql("SELECT 1")
    assert home.wait_for_nobody() == []
    (home.var / "postgresql" / "postmaster.pid").write_text(f"{os.getpid()}\n{home.var}/postgresql\n")
    assert home.sql("SELECT 1") == "1"


def test_a_first_start_that_was_broken_off_begins_anew(home):
    half = home.var / "postgresql.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("16\n")
    assert home.sql("SELECT 1") == "1"


def test_many_users_at_the_very_same_moment_share_one_server(home):
    users = [home.start("-c", USER) for _ in range(6)]
    for user in users:
        output, _ = user.communicate(timeout=60)
        assert output == "ready\n"
    assert home.wait_for_nobody() == []


def test_a_path_too_long_for_a_socket_gets_a_short_one():
    with house() as home:
        home.var = home.var.parent / ("long" * 30) / "var"
        assert home.sql("SELECT 1") == "1"
        short = home.elsewhere()[0]
        assert short.stat().st_mode & 0o777 == 0o700
        assert home.wait_for_nobody() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another user")
def test_a_checkout_that_only_root_may_enter_works_for_root():
    with house() as home:
        home.var.parent.chmod(0o700)
        assert home.sql("SELECT 1") == "1"
        assert home.var.parent.stat().st_mode & 0o777 == 0o700, "nobody's folders are opened for it"
        assert home.wait_for_nobody() == []


def test_a_folder_put_there_by_somebody_else_is_refused(tmp_path, monkeypatch):
    (tmp_path / "target").mkdir()
    (tmp_path / "sockets").symlink_to(tmp_path / "target")
    with pytest.raises(private_services.ServiceUnavailable, match="belongs to another user"):
        private_services.make_private_folder(tmp_path / "sockets", None)
