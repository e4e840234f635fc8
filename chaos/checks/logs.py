"""What the bots' logs must not hold: failures that nobody foresaw, and secrets."""

import json
from collections.abc import Mapping

from chaos.checks.finding import Found
from chaos.evidence import Evidence
from sandbox.slack import BOT_TOKEN, SIGNING_SECRET

FORESEEN = ("StoreError", "ClusterError", "RefusedError", "GoneError", "RaceError", "SlackError", "DependencyError")
"""What a dependency's failure is called; it is logged with a ref, and tried again."""


def unforeseen(evidence: Evidence) -> Found:
    """No failure but those of dependencies."""
    found = Found("nothing unforeseen in the logs, no secrets")
    for name, log in evidence.logs.items():
        for line in log:
            found.cases += 1
            text = json.dumps(line)
            if BOT_TOKEN in text or SIGNING_SECRET in text:
                found.broken("", f"{name} logs a secret: {str(line.get('message'))[:80]}")
            if line.get("level") not in ("info", "warning") and not _is_foreseen(line):
                found.broken("", f"{name}: {line.get('message')}: {str(line.get('exception', ''))[-300:]}")
    return found


def _is_foreseen(line: Mapping[str, object]) -> bool:
    if str(line.get("logger")).startswith("slack_sdk."):  # the vendor logs each failed call; ours follows it
        return True
    last = str(line.get("exception", "")).strip().rpartition("\n")[2]
    return any(name in last.partition(":")[0] for name in FORESEEN)
