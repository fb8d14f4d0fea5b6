"""Starting the program as a user does, in a folder of its own, and seeing what is left of it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from leadrouter.development import private_services
from tests.data import REPOSITORY

SQL = """
import sys, psycopg2
from leadrouter.development import private_services as services
services.use("postgresql", "redis")
connection = psycopg2.connect(host=str(services.sockets_folder()), user="leadrouter", dbname="leadrouter")
with connection, connection.cursor() as cursor:
    cursor.execute(sys.argv[1])
    print(cursor.fetchone()[0] if cursor.description else "")
connection.close()
"""


@contextmanager
def house(prefix: str = "leadrouter-test-", like: Path | None = None) -> Iterator["House"]:
    """Give a folder for private services, and leave neither the folder nor a process behind.

    like: another one, at rest, that it begins as a copy of, owners and all.
    """
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp"))
    folder.chmod(0o755)
    home = House(folder / "var")
    if like:
        subprocess.run(["cp", "-a", like, home.var], check=True)
    try:
        yield home
    finally:
        for process in home.processes():
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        home.wait_for_nobody()
        home.remove_traces()
        shutil.rmtree(folder, ignore_errors=True)


class House:
    def __init__(self, var: Path) -> None:
        self.var = var

    def environment(self, **more: str) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return kept | {"LEADROUTER_VAR": str(self.var), "PYTHONUNBUFFERED": "1", "DEMO": "false"} | more

    def start(self, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, *arguments], cwd=REPOSITORY, env=self.environment(**environment), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def run(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        process = self.start(*arguments, **environment)
        output, _ = process.communicate(timeout=90)
        return subprocess.CompletedProcess(arguments, process.returncode, output)

    def sql(self, statement: str) -> str:
        """Run one statement by a program that uses the private services, and return the first value."""
        done = self.run("-c", SQL, statement)
        assert done.returncode == 0, done.stdout
        return done.stdout.strip()

    def processes(self, *, program: str = "") -> list[int]:
        """Return the processes that belong to this folder: by their environment, their command or where they stand."""
        return [pid for pid in map(int, filter(str.isdecimal, os.listdir("/proc"))) if self._owns(pid, program)]

    def _owns(self, pid: int, program: str) -> bool:
        marks = (f"LEADROUTER_VAR={self.var}", str(self.var), *map(str, self.elsewhere()))
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
            environment = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
            place = os.readlink(f"/proc/{pid}/cwd")
        except OSError:
            return False
        return program in words and any(mark in text for mark in marks for text in (words, environment, place))

    def elsewhere(self) -> list[Path]:
        """Return the folders that are used where the one under var/ will not do."""
        name = private_services.hashlib.sha256(f"{os.geteuid()}:{self.var}".encode()).hexdigest()[:12]
        return [Path(f"{place}/leadrouter-{name}") for place in ("/tmp", "/var/tmp", "/var/lib")]

    def remove_traces(self) -> None:
        for folder in self.elsewhere():
            shutil.rmtree(folder, ignore_errors=True)

    def wait_for_nobody(self, seconds: float = 30) -> list[int]:
        until(lambda: not self.processes(), seconds=seconds)
        return self.processes()


def until(condition: Callable[[], object], *, seconds: float) -> bool:
    return private_services.wait_until(lambda: bool(condition()), seconds=seconds, every=0.1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def status(address: str) -> int:
    """Return the status of a page, or 0 where nobody answers."""
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except OSError:
        return 0


@contextmanager
def running(home: House, *, port: int, **environment: str) -> Iterator["subprocess.Popen[str]"]:
    """Run what `make run` runs until the block ends; inside it the web answers."""
    process = home.start("-m", "leadrouter.development", PORT=str(port), **environment)
    try:
        answered = until(
            lambda: process.poll() is not None or status(f"http://127.0.0.1:{port}/healthz") == 200, seconds=60
        )
        if not answered or process.poll() is not None:
            process.kill()
            raise AssertionError(process.communicate()[0])
        time.sleep(0.5)
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
