"""The demo of the first start, and what it said, shown again at later starts."""

import stat

import pytest

from leadrouter.development import private_services, servers
from routing.management.commands.demo import Command


@pytest.fixture
def commands(monkeypatch, tmp_path):
    """What was run by manage.py, and what the next calls answer."""
    run: list[str] = []
    answers = {"shell": "wanted\n", "demo": "login ann@example.com\ncurl http://127.0.0.1:8123/api/v1/leads\n"}
    monkeypatch.setattr(servers, "manage", lambda name, *_: (run.append(name), answers[name])[1])
    monkeypatch.setattr(servers, "DEMO_NOTE", tmp_path / "demo.txt")
    monkeypatch.setenv("PORT", "8123")
    monkeypatch.setenv("LEADROUTER_ADDRESS", "")
    monkeypatch.delenv("DEMO", raising=False)
    return run, answers


def test_what_the_demo_said_is_kept_for_the_owner_alone(commands):
    servers.load_demo()
    assert stat.S_IMODE(servers.DEMO_NOTE.stat().st_mode) == 0o600
    assert "login ann@example.com" in servers.DEMO_NOTE.read_text()


def test_it_is_shown_again_with_the_address_of_the_day(commands, capsys, monkeypatch):
    servers.load_demo()
    monkeypatch.setenv("PORT", "9000")
    capsys.readouterr()
    servers.show_who_signs_in()
    assert "curl http://127.0.0.1:9000/api/v1/leads" in capsys.readouterr().out


def test_a_database_that_somebody_has_configured_gets_no_demo(commands):
    run, answers = commands
    answers["shell"] = "no\n"
    servers.load_demo()
    assert run == ["shell"]
    assert not servers.DEMO_NOTE.exists()


def test_the_demo_can_be_left_out(commands, monkeypatch):
    monkeypatch.setenv("DEMO", "false")
    servers.load_demo()
    assert commands[0] == []


def test_the_command_keeps_its_note_where_the_private_services_live(settings, tmp_path):
    assert settings.DEMO_NOTE == private_services.VAR / "demo.txt"
    settings.DEMO_NOTE = tmp_path / "elsewhere.txt"
    assert Command().create_parser("manage.py", "demo").get_default("note") == tmp_path / "elsewhere.txt"
