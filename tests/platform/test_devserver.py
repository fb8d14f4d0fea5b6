"""`make run` as a user meets it: it starts, says where, ends by Ctrl-C, and starts again whatever happened."""

import http.client
import json
import os
import signal
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.data import REPOSITORY

from .processes import free_port, house, running, status, until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc"),
]


@pytest.fixture
def empty():
    with house() as home:
        yield home


@pytest.fixture(scope="module")
def prepared() -> Iterator[Path]:
    """Give the folder of an installation that ran once: to make its tables takes most of a first start."""
    with house() as home:
        home.run("manage.py", "migrate", "-v0")
        assert home.wait_for_nobody() == []
        yield home.var


@pytest.fixture
def home(prepared):
    with house(like=prepared) as home:
        yield home


@pytest.fixture(scope="module")
def started(prepared):
    """Give an installation that runs, and its port, for all tests that leave it running."""
    with house(like=prepared) as home:
        port = free_port()
        with running(home, port=port, SWEEP_SECONDS="1"):
            yield home, port


@pytest.fixture
def port() -> int:
    return free_port()


def test_ctrl_c_leaves_no_process_and_the_data_for_the_next_start(empty, port):
    with running(empty, port=port) as first:
        empty.sql("CREATE TABLE kept AS SELECT 42 AS answer")
        first.send_signal(signal.SIGINT)
        output, _ = first.communicate(timeout=40)
    assert first.returncode == 0
    assert f"Leadrouter answers at http://127.0.0.1:{port}" in output
    assert "manage.py createsuperuser" in output  # there is no demo here
    assert empty.wait_for_nobody(seconds=3) == []
    with running(empty, port=port):
        assert empty.sql("SELECT answer FROM kept") == "42"


def test_it_becomes_ready_by_its_worker_and_its_sweep(started):
    _, port = started
    assert until(lambda: status(f"http://127.0.0.1:{port}/readyz") == 200, seconds=40)


def test_killed_it_takes_all_along_and_starts_again_at_once(home, port):
    with running(home, port=port) as first:
        first.kill()
        first.communicate(timeout=10)
    with running(home, port=port) as second:
        # The web of the first may have given its last answer to whoever asked just now.
        assert until(lambda: status(f"http://127.0.0.1:{port}/healthz") == 200, seconds=60)
        assert second.poll() is None
    assert home.wait_for_nobody() == []


def test_sigterm_ends_it_as_ctrl_c_does(home, port):
    with running(home, port=port) as process:
        process.terminate()
        process.communicate(timeout=40)
    assert process.returncode == 0
    assert home.wait_for_nobody(seconds=3) == []


@pytest.mark.parametrize("program", ["leadrouter.server", "worker", "beat"])
def test_a_part_that_ends_is_started_again(started, program):
    home, port = started
    before = set(home.processes(program=program))
    assert before
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    assert until(lambda: set(home.processes(program=program)) - before, seconds=15)
    assert until(lambda: status(f"http://127.0.0.1:{port}/healthz") == 200, seconds=20)


def test_with_the_keeper_of_redis_killed_leads_are_taken_and_it_is_back_soon(started):
    home, port = started
    address = f"http://127.0.0.1:{port}"
    assert until(lambda: status(f"{address}/readyz") == 200, seconds=60)
    home.run("manage.py", "config", "import", str(REPOSITORY / "tests" / "chaos" / "configuration.yaml"))
    key = home.run("manage.py", "apikey", "Form", "--scope", "intake").stdout.split()[-1]
    (keeper,) = [pid for pid in home.processes(program="keep") if b"redis" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    os.kill(keeper, signal.SIGKILL)
    for number in range(20):
        body = {"pipeline": "sales", "contact": {"email": f"p{number}@example.com"}}
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
            headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
            connection.request("POST", "/api/v1/leads", json.dumps(body), headers)
            assert connection.getresponse().status == 201
        time.sleep(0.1)
    assert until(lambda: status(f"{address}/readyz") == 200, seconds=30)
    assert keeper not in home.processes(program="keep")
    assert [pid for pid in home.processes(program="keep") if b"redis" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def test_a_taken_port_is_said_and_another_one_proposed(home):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        done = home.run("-m", "leadrouter.development", PORT=str(number))
    assert done.returncode == 1
    assert f"Port {number} is taken" in done.stdout
    assert f"PORT={number + 1} make run" in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize("text", ["http", "0", "70000"])
def test_a_port_that_is_none_is_said(home, text):
    done = home.run("-m", "leadrouter.development", PORT=text)
    assert (done.returncode, "Traceback" in done.stdout) == (1, False)
    assert f"PORT={text}" in done.stdout


def test_a_second_run_in_the_same_folder_is_refused_and_another_folder_is_not(started, home):
    ours, _ = started
    done = ours.run("-m", "leadrouter.development", PORT=str(free_port()))
    assert done.returncode == 1
    assert "already runs" in done.stdout
    other = free_port()
    with running(home, port=other):
        assert status(f"http://127.0.0.1:{other}/healthz") == 200


def test_up_runs_a_command_and_answers_its_status(home):
    assert home.run("-m", "leadrouter.development", "up", "--", "sh", "-c", "exit 7").returncode == 7
    assert home.wait_for_nobody(seconds=5) == []


def test_secrets_are_for_the_owner_alone(started):
    home, _ = started
    for path in (home.var / "secret_key", home.var / "run" / "sockets"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
    listening = [line for line in Path("/proc/net/tcp").read_text().splitlines() if f":{5432:04X} " in line]
    assert not [line for line in listening if " 0A " in line and str(home.var) in line]


KEEP = "from leadrouter.development import private_services as p; p.use('postgresql', 'redis'); import time; time.sleep(300)"


def test_two_beats_send_each_tick_once_and_one_takes_over_from_the_other(home):
    keep = home.start("-c", KEEP)
    beats = [
        home.start("-m", "celery", "-A", "leadrouter.celery", "beat", "--pidfile=", SWEEP_SECONDS="1") for _ in range(2)
    ]
    try:
        assert until(lambda: sent(home) > 2, seconds=30)
        time.sleep(3)  # for the second to be there as well
        before, started = sent(home), time.monotonic()
        time.sleep(8)
        during, seconds = sent(home) - before, time.monotonic() - started
        assert seconds * 0.6 <= during <= seconds * 1.2 + 1, f"{during} ticks in {seconds:.1f} s"
        beats[0].kill()
        before = sent(home)
        assert until(lambda: sent(home) > before, seconds=15), "nobody took over"
    finally:
        for process in (*beats, keep):
            process.kill()
            process.communicate(timeout=10)


def sent(home) -> int:
    """Return how many sweeps the beats have put into the broker, where no worker takes them."""
    program = (
        "import redis; from leadrouter.development import private_services as p; p.use('redis');"
        "r = redis.Redis(unix_socket_path=str(p.redis_socket()), db=2);"
        "print(sum(b'routing.tasks.sweep' in m for m in r.lrange('celery', 0, -1)))"
    )
    return int(home.run("-c", program).stdout)
