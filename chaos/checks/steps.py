"""Every raise of a canary must have been decided: by whom, after which step, with whose approval, and once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bot.domain.events import EventKind
from bot.domain.rollout import TAKEN_BACK, Phase, Rollout
from bot.domain.verbs.registry import verbs
from chaos.checks.finding import Found
from chaos.checks.outcomes import events
from chaos.checks.writes import OURS, Write, lives
from chaos.evidence import Evidence
from chaos.schedule import Kind
from k8s.lost_rules import observe

AGAIN = "started, lost with Redis, and started again for a duplicate of the request"
UNKNOWN = "somebody took the newer rollout's annotation away, and Redis lost that rollout"
PUT_BACK = "an older annotation was put back, Redis had lost what came after it, and the rollout was paused"
TAKEN_AWAY = "somebody took the annotation away or forged it, and Redis had lost the last decisions in it"

SLACK = 0.05
"""How many seconds two clock readings on one machine may differ."""


@dataclass
class _Known:
    """What a route has shown of one rollout; ``written`` is the time of our last write."""

    weight: int = 0
    revision: int = 0
    decisions: set[str] = field(default_factory=set)
    is_back: bool = False
    written: float = 0.0

    def saw(self, note: Rollout, at: float) -> None:
        self.decisions.add(note.decision)
        self.revision = max(self.revision, note.revision)
        self.weight = self.weight if note.hands_off else note.weight
        self.is_back = self.is_back or note.phase is Phase.ROLLED_BACK
        self.written = at


def steps(evidence: Evidence) -> Found:
    """Check each of our writes that raised a canary."""
    found = Found("no step without a decision, none twice, none after a roll back")
    for life in lives(evidence):
        _look(evidence, life, found)
    return found


def _look(evidence: Evidence, life: Sequence[Write], found: Found) -> None:
    known: dict[str, _Known] = {}
    put_back: set[str] = set()
    newest: Rollout | None = None
    for write in life:
        note = write.note
        if note is None or write.by != OURS:
            put_back |= {note.id} if note and write.kind is Kind.RIVAL_OLD_NOTE else set()
            continue
        if note.id in put_back and not _rises(write, note) and _was_forgotten(evidence, known.get(note.id), write):
            found.excused[PUT_BACK] += 1
            put_back.remove(note.id)
            known.pop(note.id)
            newest = None
        if _begins_again(evidence, known.get(note.id), write, note):
            found.excused[TAKEN_AWAY] += 1
            known.pop(note.id)
        if note.revision == 1 and _was_forgotten(evidence, known.get(note.id), write):
            found.excused[AGAIN] += 1
            known.pop(note.id)
        if newest is not None and note.started_at < newest.started_at:
            if _is_unknown(evidence, newest, known.get(newest.id), write):
                found.excused[UNKNOWN] += 1
                newest = None
            else:
                told = f"it wrote although {newest.id} had the route by then"
                found.broken(note.id, f"version {write.after.number}: {told}")
        newest = max(filter(None, (newest, note)), key=lambda one: one.started_at)
        mine = known.setdefault(note.id, _Known(weight=note.weight_at(-1)))
        if _rises(write, note):
            found.cases += 1
            for said in _judge(evidence, note, mine):
                found.broken(note.id, f"version {write.after.number}, revision {note.revision}: {said}")
        mine.saw(note, write.after.at)


def _begins_again(evidence: Evidence, known: _Known | None, write: Write, note: Rollout) -> bool:
    """Return whether a rollout goes on from an older state, without a raise, as nobody knew the newer one any more."""
    is_older = known is not None and 1 < note.revision <= known.revision and note.decision not in known.decisions
    was_there = write.note_before is not None and write.note_before.id == note.id
    return is_older and not was_there and not _rises(write, note) and _was_forgotten(evidence, known, write)


def _is_unknown(evidence: Evidence, newest: Rollout, known: _Known | None, write: Write) -> bool:
    """Return whether neither the route nor Redis knew any more that a newer rollout had the route."""
    is_on_route = write.note_before is not None and write.note_before.id == newest.id
    return not is_on_route and _was_forgotten(evidence, known, write)


def _was_forgotten(evidence: Evidence, known: _Known | None, write: Write) -> bool:
    """Return whether Redis lost, before a write, what was written of the rollout before that."""
    if known is None:
        return False
    return any(loss.since <= known.written <= loss.at <= write.after.at for loss in evidence.losses)


def _rises(write: Write, note: Rollout) -> bool:
    pairs = zip(observe(write.before.document, note), observe(write.after.document, note), strict=True)
    return any(new is not None and (new.canary or 0) > ((old.canary or 0) if old else 0) for old, new in pairs)


def _judge(evidence: Evidence, note: Rollout, known: _Known) -> Iterator[str]:
    if known.is_back or note.phase in TAKEN_BACK:
        yield "it rises after a roll back"
    if note.decision in known.decisions:
        yield "the same decision was written twice"
    if note.revision <= known.revision:
        yield f"revision {known.revision} was on the route before"
    if note.weight <= known.weight:
        return  # we restored our own weight over somebody else's edit
    if note.by and not _asked(evidence, note):
        yield f"nobody asked for it, though it names {note.by}"
    if not note.by and note.weight > _next(note, known.weight) and not _approvals(evidence, note):
        yield f"the timer went from {known.weight} to {note.weight} %"
    if note.plan.needs_approval(known.weight, note.weight):
        given = _approvals(evidence, note)
        if len(given) < note.plan.approvals:
            yield f"{known.weight} to {note.weight} % needs {note.plan.approvals} approvals, {sorted(given)} approved"


def _next(note: Rollout, weight: int) -> int:
    return next((step for step in note.plan.steps if step > weight), 100)


def _asked(evidence: Evidence, note: Rollout) -> bool:
    """Return whether the person named in a decision asked for a raise before it."""
    until = note.decided_at.timestamp() + SLACK
    raising = {verb.name for verb in verbs() if verb.raises} | {"start"}
    return any(
        one.by == note.by and one.verb in raising and one.rollout in (note.id, "") and one.at <= until
        for one in evidence.asked
    )


def _approvals(evidence: Evidence, note: Rollout) -> set[str]:
    """Return who asked to approve, and by the events approved, this weight of this rollout.

    Words that name the pool, and that are held up on their way until after a new start, mean the new rollout.
    """
    since, until = note.started_at.timestamp(), note.decided_at.timestamp() + SLACK
    asked = {
        one.by
        for one in evidence.asked
        if one.verb == "approve" and since <= one.came_last and one.at <= until and one.by != note.started_by
    }
    approvals = [event for event in events(evidence, note.id) if event.kind is EventKind.APPROVED]
    return asked & {event.by for event in approvals if event.weight == note.weight}
