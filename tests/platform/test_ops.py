"""Dashboards, alerts, the container files and the units: that they name what there is."""

from __future__ import annotations

import configparser
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from django.test import Client

from tests.data import REPOSITORY

OPS = REPOSITORY / "ops"
METRIC = re.compile(r"\bleadrouter_\w+")


def exported() -> set[str]:
    text = Client().get("/metrics").content.decode()
    return {re.split(r"[{ ]", line)[0] for line in text.splitlines() if line and not line.startswith("#")}


# Metrics


@pytest.mark.django_db
@pytest.mark.parametrize("file", ["prometheus/alerts.yml", "grafana/dashboard.json"])
def test_every_metric_of_dashboard_and_alerts_is_exported(client, file):
    client.get("/healthz")
    named = set(METRIC.findall((OPS / file).read_text()))
    assert len(named) > 8
    heartbeat = {"leadrouter_heartbeat_age_seconds"}  # there from the first sweep
    assert named - heartbeat <= exported()


def test_every_alert_says_what_is_wrong_and_what_to_do():
    (group,) = yaml.safe_load((OPS / "prometheus/alerts.yml").read_text())["groups"]
    for rule in group["rules"]:
        assert {"alert", "expr", "for", "labels", "annotations"} <= rule.keys()
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert {"summary", "description"} <= rule["annotations"].keys()
        assert rule["expr"].count("(") == rule["expr"].count(")")
    assert len({rule["alert"] for rule in group["rules"]}) == len(group["rules"])


def test_the_panels_of_the_dashboard_stand_beside_each_other():
    panels = json.loads((OPS / "grafana/dashboard.json").read_text())["panels"]
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        assert all(target["expr"] for target in panel["targets"])
        taken |= cells


COUNT = """
import os, sys, django
django.setup()
from leadrouter import health
health.INTAKE.labels("created").inc(int(sys.argv[1]))
health.REQUESTS.labels("GET", "test", "200").inc()
"""
COLLECT = """
import django
django.setup()
from prometheus_client import CollectorRegistry, generate_latest, multiprocess
registry = CollectorRegistry()
multiprocess.MultiProcessCollector(registry)
print(generate_latest(registry).decode())
"""


@pytest.mark.slow
def test_counters_of_several_processes_are_added_up_those_of_dead_ones_too(tmp_path):
    environment = os.environ | {
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "leadrouter.settings",
    }

    def run(code: str, *arguments: str) -> str:
        command = [sys.executable, "-c", code, *arguments]
        return subprocess.run(
            command, env=environment, cwd=REPOSITORY, capture_output=True, text=True, check=True
        ).stdout

    for leads in ("3", "4"):
        run(COUNT, leads)
    text = run(COLLECT)
    assert 'leadrouter_intake_leads_total{outcome="created"} 7.0' in text
    assert 'leadrouter_http_requests_total{method="GET",route="test",status="200"} 2.0' in text


# Container and units. There is no container engine where these run: the files are read, not started; what they start,
# ops/entrypoint.sh, is run by tests/platform/test_entrypoint.py.


@pytest.fixture(scope="module")
def compose() -> dict:
    return yaml.safe_load((REPOSITORY / "compose.yaml").read_text())


def test_compose_runs_every_process_and_opens_only_the_proxy(compose):
    services = compose["services"]
    assert set(services) == {"secrets", "release", "web", "worker", "beat", "db", "redis", "proxy"}
    assert [name for name, service in services.items() if "ports" in service] == ["proxy"]
    for name in ("web", "worker", "beat", "release", "secrets"):
        assert services[name]["command"] == [name]
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["read_only"] is True
    assert services["web"]["depends_on"]["release"]["condition"] == "service_completed_successfully"
    for service in services.values():
        assert ":" in service["image"] or "build" in service, "a version, not whatever is newest"
        assert not service["image"].endswith(":latest")
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in compose["volumes"] or (REPOSITORY / source).exists(), volume


def test_compose_holds_no_secret_and_no_setting_that_does_not_exist(compose):
    known = set(re.findall(r"(?m)^# ?([A-Z_]+)=", (REPOSITORY / ".env.example").read_text()))
    settings = compose["services"]["web"]["environment"]
    assert set(settings) - {"SECRETS", "DATABASE_HOST"} <= known
    text = (REPOSITORY / "compose.yaml").read_text()
    assert not re.search(r"(?i)(password|secret_key)\s*[:=]\s*[\"']?[A-Za-z0-9]{6,}", text)


def test_every_role_of_the_image_is_a_role_of_the_entry_script(compose):
    script = (OPS / "entrypoint.sh").read_text()
    roles = set(re.findall(r"(?m)^(\w+)\)", script))
    assert {service["command"][0] for name, service in compose["services"].items() if "build" in service} <= roles
    image = (REPOSITORY / "Dockerfile").read_text()
    assert re.search(r"(?m)^USER leadrouter$", image)
    assert 'ENTRYPOINT ["/app/ops/entrypoint.sh"]' in image
    assert os.access(OPS / "entrypoint.sh", os.X_OK)


def test_the_processes_of_the_entry_script_are_those_of_the_procfile():
    script = (OPS / "entrypoint.sh").read_text()
    for line in (REPOSITORY / "Procfile").read_text().splitlines():
        role, _, command = line.partition(": ")
        if role != "release":
            program = command.split()[:3]
            assert " ".join(program[1:]) in script, role


@pytest.mark.parametrize("unit", sorted(path.name for path in (OPS / "systemd").glob("*.service")))
def test_a_unit_starts_the_entry_script_as_an_unprivileged_user(unit):
    reader = configparser.ConfigParser(strict=False, interpolation=None)
    reader.optionxform = str
    reader.read(OPS / "systemd" / unit)
    assert reader["Service"]["User"] == "leadrouter"
    assert "ops/entrypoint.sh" in reader["Service"]["ExecStart"]


def test_every_setting_is_in_the_example():
    source = (REPOSITORY / "leadrouter" / "settings.py").read_text()
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', source))
    known = set(re.findall(r"(?m)^# ?([A-Z_]+)=", (REPOSITORY / ".env.example").read_text()))
    assert read <= known, f"say in .env.example what these do: {sorted(read - known)}"
    assert Path(OPS / "Caddyfile").exists()
