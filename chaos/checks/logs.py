"""What the bots' logs must not hold: unexpected errors and secrets."""

import json
from collections.abc import Mapping

from chaos.checks.finding import Found
from chaos.evidence import Evidence
from sandbox.bot_process import NOTE_KEY
from sandbox.slack import BOT_TOKEN, SIGNING_SECRET

FORESEEN = ("StoreError", "ClusterError", "RefusedError", "GoneError", "RaceError", "SlackError", "DependencyError")
"""The errors for a failure of a dependency: the bot logs them with a ref and tries again."""


def unforeseen(evidence: Evidence) -> Found:
    """Check that the only errors are failures of dependencies."""
    found = Found("no unexpected errors and no secrets in the logs")
    for name, log in evidence.logs.items():
        for line in log:
            found.cases += 1
            text = json.dumps(line)
            if any(secret in text for secret in (BOT_TOKEN, SIGNING_SECRET, NOTE_KEY)):
                found.broken("", f"{name} logs a secret: {str(line.get('message'))[:80]}")
            if line.get("level") not in ("info", "warning") and not _is_foreseen(line):
                found.broken("", f"{name}: {line.get('message')}: {str(line.get('exception', ''))[-300:]}")
    return found


def _is_foreseen(line: Mapping[str, object]) -> bool:
    if str(line.get("logger")).startswith("slack_sdk."):  # it logs each failed call, and our own line follows
        return True
    last = str(line.get("exception", "")).strip().rpartition("\n")[2]
    return any(name in last.partition(":")[0] for name in FORESEEN)
