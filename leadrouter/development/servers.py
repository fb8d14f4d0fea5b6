"""`make run`: private PostgreSQL and Redis where none are given, the web, a worker and a beat, in one terminal.

    python -m leadrouter.development                everything, until Ctrl-C
    python -m leadrouter.development up -- COMMAND  one command, with the services it needs running

It is made to be killed: whoever ends, ends with its parent, and the next start takes over from any state.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import environ

from . import private_services
from .private_services import BASE_DIR, DEMO_NOTE, LOGS, RESTART_PAUSES, VAR, ServiceUnavailable

HOST = "127.0.0.1"
STOP_SECONDS = 12
FIRST_ANSWER_SECONDS = 60
ADDRESS_MARK = "{address}"  # stands in the note for the address, which may be another one at the next start


class CannotStart(RuntimeError):
    """What stops a start, in words for the person at the terminal."""


def say(text: str = "") -> None:
    print(text, flush=True)


# --- Environment ----------------------------------------------------------------------------------------------------


def prepare_environment() -> None:
    """Fill in what an operator would set and a checkout makes for itself. What is set, here or in .env, stays."""
    environ.Env.read_env(BASE_DIR / ".env")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "leadrouter.settings")
    if not (os.environ.get("SECRET_KEY") or os.environ.get("SECRET_KEY_FILE")):
        os.environ["SECRET_KEY"] = private_services.secret_key()


def start_services() -> None:
    """Start the private services that no address in the environment replaces."""
    missing = {"postgresql": "DATABASE_URL", "redis": "REDIS_URL"}
    private_services.use(*(name for name, variable in missing.items() if not os.environ.get(variable, "").strip()))


def port() -> int:
    text = os.environ.get("PORT", "8000").strip()
    if not text.isdecimal() or not 0 < int(text) < 65_536:
        raise CannotStart(f"PORT={text} is not a port number. Try PORT=8001 make run.")
    return int(text)


def host() -> str:
    return os.environ.get("HOST", "").strip() or HOST


def address() -> str:
    everywhere = {"0.0.0.0", "::"}  # nosec B104  # what to show for it, not what to listen at
    return f"http://{HOST if host() in everywhere else host()}:{port()}"


def port_is_free() -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host() else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port of closed connections counts as free
        try:
            probe.bind((host(), port()))
            probe.listen(1)
        except PermissionError:
            raise CannotStart(f"This user may not open port {port()}. Try PORT=8000 make run.") from None
        except OSError:
            return False
    return True


def claim_port() -> None:
    """Refuse a port that is taken, but give the web of a start that was killed a moment to leave it."""
    if not private_services.wait_until(port_is_free, seconds=5, every=0.25):
        raise CannotStart(f"Port {port()} is taken by another program. Choose another one: PORT={port() + 1} make run")


# --- Database -------------------------------------------------------------------------------------------------------


def manage(*arguments: str, timeout: float = 600) -> str:
    """Run a management command and return what it printed."""
    done = subprocess.run(
        [sys.executable, str(BASE_DIR / "manage.py"), *arguments],
        cwd=BASE_DIR, env=os.environ | {"DATABASE_STATEMENT_TIMEOUT": "0"}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=timeout, check=False, start_new_session=True,
        preexec_fn=private_services.die_with_parent(signal.SIGTERM),
    )  # fmt: skip
    if done.returncode:
        raise CannotStart(f"manage.py {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def load_demo() -> None:
    """Load the demo into a database in which nobody has configured anything, and keep what it said for later starts."""
    if os.environ.get("DEMO", "true").strip().lower() in {"0", "false", "no", "off"}:
        return
    facts = manage(
        "shell", "--no-imports", "-c",
        "from django.core.management import get_commands; from routing.models import Pipeline;"
        "print('wanted' if 'demo' in get_commands() and not Pipeline.objects.exists() else 'no')",
    ).split()  # fmt: skip
    if facts[-1:] != ["wanted"]:
        return
    say("Loading the demo …")
    os.environ["LEADROUTER_ADDRESS"] = address()
    note = manage("demo").replace(address(), ADDRESS_MARK)
    descriptor = os.open(DEMO_NOTE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(note)


def show_who_signs_in() -> None:
    try:
        say(DEMO_NOTE.read_text().replace(ADDRESS_MARK, address()).rstrip())
    except FileNotFoundError:
        say("Without a demo, the first administrator comes from: .venv/bin/python manage.py createsuperuser")


# --- Children -------------------------------------------------------------------------------------------------------


@dataclass
class Child:
    """A program that runs as long as we do, and is started again when it ends."""

    name: str
    command: list[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0
    again_at: float | None = None
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def log(self) -> Path:
        return LOGS / f"{self.name}.log"

    def start(self) -> None:
        with open(self.log, "ab") as log:
            # The child's end is tied to this thread, which must therefore be the main one.
            self.process = subprocess.Popen(
                self.command, cwd=BASE_DIR, env=os.environ | self.environment, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True, preexec_fn=private_services.die_with_parent(signal.SIGTERM),
            )  # fmt: skip
        self.started, self.again_at = time.monotonic(), None

    def look_after(self) -> None:
        """Start the program again some time after it ended: the more often it ends, the later."""
        now = time.monotonic()
        if self.process is None or self.process.poll() is None:
            return
        if self.again_at is None:
            kill_group(self.process, signal.SIGKILL)  # its own children, where it left any
            self.failures = 1 if now - self.started > 60 else self.failures + 1
            pause = RESTART_PAUSES[min(self.failures, len(RESTART_PAUSES)) - 1]
            say(f"{self.name} ended ({self.process.returncode}); starting it again in {pause} s. See {self.log}")
            self.again_at = now + pause
        elif now >= self.again_at:
            self.start()

    def has_ended(self) -> bool:
        return self.process is None or self.process.poll() is not None


def kill_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def children() -> list[Child]:
    """Return web, worker and beat. Together they keep at most 8 + 1 + 4 + 1 connections to the database."""
    python = [sys.executable, "-m"]
    return [
        Child(
            "web",
            [
                *python, "leadrouter.server", "--host", host(), "--port", str(port()),
                "--workers", os.environ.get("WEB_WORKERS", "2"), "--threads", os.environ.get("WEB_THREADS", "4"),
                "--grace", "8",
            ],
            environment={"PROMETHEUS_MULTIPROC_DIR": str(fresh_metrics_folder())},
        ),
        Child(
            "worker",
            [
                *python, "celery", "-A", "leadrouter.celery", "worker", "--pool", "threads",
                "--concurrency", os.environ.get("WORKER_THREADS", "4"),
                "--without-gossip", "--without-mingle", "--loglevel", "WARNING",
            ],
        ),
        Child("beat", [*python, "celery", "-A", "leadrouter.celery", "beat", "--pidfile=", "--loglevel", "WARNING"]),
    ]  # fmt: skip


def fresh_metrics_folder() -> Path:
    """Return an empty folder for the request counters of the web processes: they count from our start."""
    folder = private_services.make_folder(VAR / "run" / "metrics", mode=0o700)
    for file in folder.glob("*.db"):
        file.unlink(missing_ok=True)
    return folder


def stop(running: list[Child], *, hurry: threading.Event) -> None:
    """Ask all to end, and end those who do not in time."""
    for child in running:
        if child.process and not child.has_ended():
            child.process.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    while not all(child.has_ended() for child in running) and time.monotonic() < deadline and not hurry.is_set():
        time.sleep(0.05)
    for child in running:
        if child.process:
            kill_group(child.process, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(5)


# --- The whole ------------------------------------------------------------------------------------------------------


def answers() -> bool:
    try:
        with urllib.request.urlopen(f"{address()}/healthz", timeout=2) as answer:  # nosec B310
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


class Run:
    """One `make run`, from the first line to the last."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.hurry = threading.Event()
        self.children: list[Child] = []

    def on_signal(self, *_: object) -> None:
        (self.hurry if self.over.is_set() else self.over).set()  # the second Ctrl-C does not wait

    def run(self) -> int:
        private_services.make_folder(LOGS)
        private_services.make_folder(VAR / "run")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.on_signal)
        with private_services.open_lock(VAR / "run" / "devserver") as alone:
            if not private_services.try_lock(alone):
                raise CannotStart("Leadrouter already runs from this folder. Stop it first, or use another checkout.")
            try:
                return self.everything()
            finally:
                stop(self.children, hurry=self.hurry)
                private_services.release()

    def everything(self) -> int:
        prepare_environment()
        claim_port()
        say("Starting PostgreSQL and Redis …")
        start_services()
        for step in (self.migrate, load_demo):
            if self.over.is_set():
                return 0
            step()
        self.children = children()
        for child in self.children:
            child.start()
        if self.wait_for_first_answer():
            self.greet()
            while not self.over.wait(0.5):
                self.look_after_all()
        say("\nStopping …")
        return 0

    def migrate(self) -> None:
        say("Preparing the database …")
        manage("migrate", "--no-input", "--verbosity", "0")

    def look_after_all(self) -> None:
        for child in self.children:
            child.look_after()
        with contextlib.suppress(ServiceUnavailable):  # of a keeper that was killed; tried again in half a second
            start_services()

    def wait_for_first_answer(self) -> bool:
        deadline = time.monotonic() + FIRST_ANSWER_SECONDS
        while not self.over.wait(0.1):
            if answers():
                return True
            self.look_after_all()
            if time.monotonic() > deadline or any(child.failures >= 4 for child in self.children):
                logs = "\n".join(f"--- {child.log}\n{private_services.tail(child.log)}" for child in self.children)
                raise CannotStart(f"The web does not answer.\n{logs}")
        return False

    def greet(self) -> None:
        say(f"\nLeadrouter answers at {address()}")
        show_who_signs_in()
        say(f"Logs are in {LOGS}. Ctrl-C stops everything.")


def up(command: list[str]) -> int:
    """Run one command with the services it needs, and return its exit status."""
    prepare_environment()
    start_services()
    process = subprocess.Popen(command, preexec_fn=private_services.die_with_parent(signal.SIGTERM))
    for number in (signal.SIGINT, signal.SIGTERM):  # it decides itself when to end; a terminal sends it Ctrl-C as well
        signal.signal(number, lambda received, _: process.send_signal(received) if received != signal.SIGINT else None)
    status = process.wait()
    private_services.release()
    return status if status >= 0 else 128 - status


def main(arguments: list[str]) -> int:
    try:
        match arguments:
            case []:
                return Run().run()
            case ["up", "--", *command] if command:
                return up(command)
    except (CannotStart, ServiceUnavailable) as error:
        print(f"\n{error}", file=sys.stderr, flush=True)
        return 1
    print("usage: python -m leadrouter.development [up -- COMMAND …]", file=sys.stderr)
    return 2
