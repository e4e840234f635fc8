"""The alert rules and the dashboard, read by a real Prometheus, and against what /metrics shows."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from bot.service import metrics, rollout_metrics
from sandbox.dataplane.programs import programs
from sandbox.dataplane.prometheus import Prometheus, prometheus
from sandbox.folders import CHECKOUT

ALERTS = CHECKOUT / "manifests" / "prometheus" / "alerts.yaml"
DASHBOARD = CHECKOUT / "manifests" / "grafana" / "rolloutbot.json"
_NAME = re.compile(r"\brolloutbot_\w+")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    folder = tmp_path_factory.mktemp("prometheus")
    with prometheus(programs().prometheus, folder / "targets.json", folder, rules=ALERTS) as server:
        yield server


def expressions() -> list[str]:
    """Return every query of the dashboard, with a value for each of Grafana's variables."""
    panels: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    found = [target["expr"] for panel in panels for target in panel["targets"]]
    return [expr.replace("$namespace", ".*").replace("$pool", ".*") for expr in found]


def test_prometheus_takes_every_alert_rule(running: Prometheus) -> None:
    answer = urllib3.request("GET", f"{running.url}/api/v1/rules", retries=False).json()
    rules = [rule["name"] for group in answer["data"]["groups"] for rule in group["rules"]]
    assert rules == [
        "RolloutbotAway",
        "RolloutbotWithoutLeader",
        "RolloutNotWritten",
        "RolloutDecisionNotWritten",
        "RolloutHeld",
        "RolloutWaitsForPeople",
        "RolloutGateFails",
    ]


@pytest.mark.parametrize("expr", expressions())
def test_prometheus_takes_every_query_of_the_dashboard(running: Prometheus, expr: str) -> None:
    assert running.query(expr) == []


def test_they_ask_only_for_what_the_bot_shows() -> None:
    shown = {
        name for module in (metrics, rollout_metrics) for name in _NAME.findall(Path(str(module.__file__)).read_text())
    }
    asked = set(_NAME.findall(ALERTS.read_text() + DASHBOARD.read_text()))
    assert asked - shown == set()
    assert shown - asked == {"rolloutbot_operations"}
