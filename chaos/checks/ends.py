"""How every rollout stands at the end: over, or waiting for a stated reason, with every decision in its events."""

from collections.abc import Mapping
from typing import Any

from bot.domain.events import Event, EventKind
from bot.domain.rollout import OVER, SLOTLESS, Phase, Rollout
from chaos.checks.finding import Found
from chaos.checks.outcomes import events
from chaos.checks.writes import Write, ours, standing
from chaos.evidence import Evidence
from chaos.tape import Version

UNDER_ANOTHER = "paused over somebody else's weights, and under somebody else's note"


def ended(evidence: Evidence) -> Found:
    """Check that every rollout is over or says why it waits, and that record and route agree."""
    found = Found("every rollout ended, or says why it waits")
    answers = {one.rollout: " ".join(evidence.told[one.id]) for one in evidence.asked if one.verb == "why"}
    newest = standing(evidence)
    for rollout, record in evidence.held.records.items():
        found.cases += 1
        phase = Phase(record["phase"])
        if rollout in evidence.held.unwritten:
            found.broken(rollout, f"{phase.value}: its last decision is not on the route")
        route = newest.get(record["route_uid"])
        if route is None and phase not in OVER | {Phase.FINISHED}:
            found.broken(rollout, f"{phase.value}, though its route is gone")
        if route is None or phase in SLOTLESS:
            continue
        if _is_under_another(route, rollout, record):
            found.excused[UNDER_ANOTHER] += 1
            continue  # nobody asked about it: whoever asks at the end goes by the notes on the routes
        if route.note is None or route.note.decision != record["decision"]:
            found.broken(rollout, f"{phase.value}, and its route says {route.note.phase if route.note else 'nothing'}")
        if "since" not in answers.get(rollout, ""):
            found.broken(rollout, f"{phase.value}, and nobody says why: {answers.get(rollout, '')}")
    for route in newest.values():
        note = route.note
        if (
            note is not None
            and note.route_uid == route.uid
            and note.phase not in SLOTLESS
            and note.id not in evidence.held.records
        ):
            found.broken(note.id, f"its route says {note.phase.value}, and the store does not know it")
    return found


def _is_under_another(route: Version, rollout: str, record: Mapping[str, Any]) -> bool:
    """Say whether a rollout that is paused over somebody else's weights leaves somebody else's note alone, too."""
    return bool(record.get("drift")) and route.claim is not None and route.claim.id != rollout


def told(evidence: Evidence) -> Found:
    """Check that every decision on a route is in the stream of events."""
    found = Found("every decision on a route has its event")
    brakes = {
        one.block_id for one in evidence.journal if one.block_id.startswith("brake:")
    }  # the channel was told instead
    for write in ours(evidence):
        note, before = write.note, write.note_before
        if note is None or (before is not None and before.decision == note.decision) or _is_silent(write, note):
            continue
        found.cases += 1
        told = any(_tells(event, note) for event in events(evidence, note.id))
        if not told and f"brake:{note.id}:{note.revision}" not in brakes:
            found.broken(note.id, f"revision {note.revision} ({note.phase.value}, step {note.step}) has no event")
    return found


def _tells(event: Event, note: Rollout) -> bool:
    """Return whether an event belongs to a decision. A roll back without Redis gets its event when Redis is back."""
    if note.phase is not Phase.ROLLED_BACK or event.at == note.decided_at:
        return event.at == note.decided_at
    is_same = event.by == note.by and event.kind is EventKind.ROLLED_BACK
    return is_same or (event.at > note.decided_at and event.kind in (EventKind.ADOPTED, EventKind.REBUILT))


def _is_silent(write: Write, note: Rollout) -> bool:
    """Return whether a decision has no event: the gateway accepted the route, or the same person edited it again."""
    before = write.note_before
    is_accepted = note.phase is Phase.PROGRESSING and not note.by and (before is None or before.phase is Phase.STARTING)
    return is_accepted or note.drifted
