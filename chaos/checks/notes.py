"""What nobody may change by writing a note: whose rollout it is, of what, and that somebody started it."""

from typing import Any

from chaos.checks.finding import Found
from chaos.checks.writes import written
from chaos.evidence import Evidence
from chaos.forger import FORGED_ID

FIXED = ("namespace", "route", "route_uid", "stable", "canary", "channel", "started_by", "reason")


def forgeries(evidence: Evidence) -> Found:
    """Check that what the bots write of a rollout always says what its first decision said, and none is invented."""
    found = Found("no forged note is believed")
    for rollout, notes in written(evidence).items():
        first = {name: getattr(notes[0][1], name) for name in FIXED}
        for version, note in notes:
            found.cases += 1
            now: dict[str, Any] = {name: getattr(note, name) for name in FIXED}
            if now != first:
                changed = sorted(name for name in FIXED if now[name] != first[name])
                found.broken(rollout, f"version {version.number} changes {', '.join(changed)}")
    if FORGED_ID in evidence.held.records or FORGED_ID in written(evidence):
        found.broken(FORGED_ID, "nobody started it")
    return found
