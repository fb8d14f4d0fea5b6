"""The fresh machines themselves: which are played, by which Python, and that one which fails is told."""

import subprocess
from argparse import Namespace
from pathlib import Path

import pytest

from .__main__ import CASES, Failed, Ground, chosen, key_in, main, result
from .pythons import other, pythons

THERE = {(3, 11, 7): "/eleven", (3, 12, 1): "/twelve", (3, 13, 0): "/thirteen"}


def names(plays):
    return [(case.name, version) for case, version, _ in plays]


def ask(*cases: str, few: bool = False, python: list[str] | None = None) -> Namespace:
    return Namespace(cases=list(cases), few=few, python=python)


def test_every_case_is_played_by_the_oldest_and_the_newest_python():
    assert names(chosen(ask(), THERE)) == [(case.name, version) for case in CASES for version in ("3.11.7", "3.13.0")]


def test_the_few_are_played_by_both_pythons_once_each():
    few = names(chosen(ask(few=True), THERE))
    assert len(few) == len({name for name, _ in few})
    assert {version for _, version in few} == {"3.11.7", "3.13.0"}


def test_with_one_python_the_few_are_played_by_that(capsys):
    few = names(chosen(ask(few=True), {(3, 12, 1): "/twelve"}))
    assert [name for name, _ in few] == [case.name for case in CASES if case.few]
    assert "only one Python here, 3.12.1" in capsys.readouterr().out


def test_a_python_may_be_named():
    assert names(chosen(ask("no-uv", python=["3.12"]), THERE)) == [("no-uv", "3.12.1")]
    with pytest.raises(SystemExit, match=r"No Python 3\.1 here; there are 3\.11\.7, 3\.12\.1, 3\.13\.0"):
        chosen(ask(python=["3.1"]), THERE)


@pytest.mark.parametrize(("ours", "wanted"), [((3, 11), "/thirteen"), ((3, 12), "/thirteen"), ((3, 13), "/eleven")])
def test_the_other_python_is_the_farthest(ours, wanted):
    assert other(THERE, ours) == wanted


def test_there_may_be_no_other_python():
    assert other({(3, 12, 1): "/twelve", (3, 12, 4): "/later"}, (3, 12)) == ""


@pytest.mark.slow
def test_the_pythons_of_this_machine_are_programs_of_their_own():
    for version, program in pythons().items():
        said = subprocess.run([program, "-c", "import sys; print(sys.version_info[:3], sys.prefix == sys.base_prefix)"],
                              capture_output=True, text=True, check=True).stdout  # fmt: skip
        assert said.strip() == f"{version} True"


def test_a_key_with_any_letter_of_keys_is_found():
    assert key_in("Manager  ann\nAPI key      lr_ab-1_x-Y\n\nA lead") == "lr_ab-1_x-Y"
    with pytest.raises(Failed, match="printed no key"):
        key_in("Without a demo")


def test_a_case_that_is_none_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["root-on-the-moon"])
    assert "there is no case root-on-the-moon" in capsys.readouterr().err


UP = "run:\n\t@echo 'API key  lr_1'; echo 'Ctrl-C stops everything'; exec sleep 60\n"


@pytest.mark.parametrize(
    ("makefile", "said"),
    [
        ("run:\n\t@echo out of order; exit 3\n", "out of order"),
        ("run:\n\t@echo 'Ctrl-C stops everything'; exec sleep 60\n", "printed no key"),
        (UP, "did not answer"),
    ],
)
def test_a_machine_that_fails_is_told_and_leaves_nothing(tmp_path, capsys, makefile, said):
    repository = tmp_path / "repository"
    repository.mkdir()
    (repository / "Makefile").write_text(makefile)
    (repository / "README.md").write_text("curl -X POST http://127.0.0.1:8000/api/v1/leads -d '{}'\n```\n")
    git = ["git", "-C", repository, "-c", "user.name=Ann", "-c", "user.email=ann@example.com"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "A broken checkout"]):
        subprocess.run([*git, *command], check=True)
    folder = tmp_path / "machines"
    folder.mkdir()
    ground = Ground(folder, None, repository)
    ground.prepare()
    [case] = [case for case in CASES if case.name == "root-passable-folder"]
    assert not result(ground, case, "3.12.1", "/usr/bin/true", 1, keep=False)
    output = capsys.readouterr().out
    assert "FAILED" in output
    assert said in output
    assert sorted(path.name for path in Path(folder).iterdir()) == ["home", "source.git"]
