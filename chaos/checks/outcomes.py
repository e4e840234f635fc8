"""What became of each request: done, refused with a reason, lost with Redis, or nothing visible."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from bot.domain.events import REJECTED, Event, EventKind
from bot.domain.rollout import Phase, Rollout
from bot.engine.engine import BACK_BUT, MAY_COME_AGAIN
from chaos.checks.writes import written
from chaos.evidence import Evidence
from chaos.ledger import RECEIPT, Asked
from chaos.site_requests import QUESTIONS
from handlers import replies

RAISED = (EventKind.STEPPED, EventKind.PROMOTED, EventKind.APPROVAL_WANTED)
DID: Mapping[str, Sequence[EventKind]] = {
    "start": (EventKind.STARTED,),
    "approve": (EventKind.APPROVED,),
    "reject": (EventKind.REJECTED,),
    "pause": (EventKind.PAUSED,),
    "resume": (EventKind.RESUMED,),
    "advance": RAISED,
    "promote": RAISED,
    "restore": (EventKind.RESTORED,),
    "adopt": (EventKind.KEPT,),
    "rollback": (EventKind.ROLLED_BACK, EventKind.WRITTEN_AGAIN),
    "finish": (EventKind.FINISHED,),
    "keep": (EventKind.KEPT_LONGER,),
    "end": (EventKind.ENDED,),
}
"""The events that a verb leaves behind."""

NOT_SURE = (replies.NOT_CONFIRMED, replies.NO_OTHER_TRY)
"""What people are told when the bot does not know whether the request will be carried out."""

NOT_REFUSED = (
    *NOT_SURE,
    MAY_COME_AGAIN,  # refused, but Redis does not know: it may still be carried out
    replies.IS_KEPT,
    replies.MAY_BE_OPEN,
    replies.DONE_ELSEWHERE,
    replies.ROLLS_BACK_BY_ROUTE,
    replies.ROLLED_BACK_BY_ROUTE,
    replies.ROLLED_BACK_ALREADY,
    replies.ROLLED_BACK,
    BACK_BUT,
)
"""Private answers that are no refusals."""

EARLY = 0.05
SOON = 2.0
"""Words and a start that come to the bots together may be carried out in any order."""


class Became(StrEnum):
    """What became of a request."""

    DONE = "done"
    REFUSED = "refused with a reason"
    UNCONFIRMED = "told: not confirmed"
    LOST = "lost with Redis"
    UNHEARD = "not acknowledged"
    SILENT = "acknowledged, then nothing"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A request, what became of it, and its event."""

    asked: Asked
    became: Became
    event: Event | None = None
    refusals: Sequence[str] = ()


@cache
def outcomes(evidence: Evidence) -> Sequence[Outcome]:
    """Return what became of every request."""
    told = _matched(evidence)
    return tuple(_outcome(evidence, asked, told.get(asked.id)) for asked in evidence.asked)


def _outcome(evidence: Evidence, asked: Asked, event: Event | None) -> Outcome:
    said, refusals = _said(evidence, asked), _refusals(evidence, asked)
    if event is not None:
        return Outcome(asked, Became.DONE, event, refusals)
    if asked.verb in QUESTIONS and said:
        return Outcome(asked, Became.DONE)
    if refusals:
        return Outcome(asked, Became.REFUSED, None, refusals)
    if _is_told(said, *NOT_SURE):
        is_done = asked.verb == "rollback" and _is_fulfilled(evidence, asked)
        return Outcome(asked, Became.DONE if is_done else Became.UNCONFIRMED)
    if noes := [text for text in said if MAY_COME_AGAIN in text]:
        return Outcome(asked, Became.REFUSED, None, noes)
    if not asked.is_taken_in or asked.only_opens:
        return Outcome(asked, Became.UNHEARD if not asked.is_taken_in else Became.DONE)
    if asked.verb == "rollback" and (_is_told(said, replies.ROLLED_BACK_ALREADY) or _is_fulfilled(evidence, asked)):
        return Outcome(asked, Became.DONE)
    if any(asked.id in loss.inbox for loss in evidence.losses):
        return Outcome(asked, Became.LOST)
    return Outcome(asked, Became.SILENT)


def _is_fulfilled(evidence: Evidence, asked: Asked) -> bool:
    """Return whether a roll back happened anyway: by somebody else, or on the route without Redis."""
    reached = (asked.rollout, *_reached_later(evidence, asked))
    told = [event.at for name in reached for event in events(evidence, name) if event.kind in DID["rollback"]]
    notes = [note for name in reached for _, note in written(evidence).get(name, ())]
    seen = [note.decided_at for note in notes if note.phase is Phase.ROLLED_BACK]
    return any(at.timestamp() >= asked.at - EARLY for at in (*told, *seen))


def _said(evidence: Evidence, asked: Asked) -> list[str]:
    return [text for text in evidence.told[asked.id] if not text.startswith((RECEIPT, replies.SEE_CARD))]


def _refusals(evidence: Evidence, asked: Asked) -> list[str]:
    return [text for text in _said(evidence, asked) if not _is_told([text], *NOT_REFUSED)]


def _is_told(said: Sequence[str], *marks: str) -> bool:
    return any(mark in text for text in said for mark in marks)


def events(evidence: Evidence, rollout: str) -> list[Event]:
    """Return all events of a rollout, each once, oldest first."""
    told = {event for stream in evidence.streams.get(rollout, ()) for event in stream}
    return sorted(told, key=lambda event: event.at)


def _matched(evidence: Evidence) -> dict[str, Event]:
    """Find the event of each request: the one that names its token, else the first later one that fits.

    Refused requests get none of the second kind. Requests that nothing else explains choose first. An event after
    Redis lost a request goes to that request only if no other one wants it.
    """
    free = {rollout: events(evidence, rollout) for rollout in evidence.streams}
    words = {asked.token: asked for asked in evidence.asked if asked.token}
    found: dict[str, Event] = {}
    for told in free.values():
        for event in list(told):
            asked = words.get(_token(event))
            if asked is not None and event.kind in DID.get(asked.verb, ()):
                found.setdefault(asked.id, event)
                told.remove(event)
    hopeful = [one for one in evidence.asked if one.verb in DID and not one.only_opens and not _refusals(evidence, one)]
    hopeful.sort(key=lambda one: (not one.is_taken_in, _is_answered(evidence, one), bool(_said(evidence, one)), one.at))
    in_time = [(one, _forgotten(evidence, one)) for one in hopeful]
    for asked, until in [*in_time, *((one, math.inf) for one in hopeful)]:
        reached = (asked.rollout, *_reached_later(evidence, asked))
        fitting = ((name, event) for name in reached for event in free.get(name, ()) if _fits(event, asked, until))
        if asked.id not in found and (mine := next(fitting, None)) is not None:
            rollout, found[asked.id] = mine
            free[rollout].remove(found[asked.id])
    return found


def _reached_later(evidence: Evidence, asked: Asked) -> Iterator[str]:
    """Yield the newer rollouts on the same route that words reached which waited: they may name only the pool."""
    until = _waited_until(evidence, asked)
    for name, note in newer_ones(evidence, asked.rollout).items():
        if until is not None and asked.at < note.started_at.timestamp() <= until:
            yield name


def newer_ones(evidence: Evidence, rollout: str) -> Mapping[str, Rollout]:
    """Return the newer rollouts of the same pool on the same route, each as the route had it last."""
    notes = {name: each[-1][1] for name, each in written(evidence).items()}
    mine = notes.get(rollout)
    if mine is None:
        return {}
    place = (mine.namespace, mine.route, mine.canary)
    newer = {name: note for name, note in notes.items() if note.started_at > mine.started_at}
    return {name: note for name, note in newer.items() if (note.namespace, note.route, note.canary) == place}


def _waited_until(evidence: Evidence, asked: Asked) -> float | None:
    """Return how long words that were kept, or held up on their way, may have waited; None if they did not."""
    if asked.token and _is_told(evidence.told[asked.id], replies.IS_KEPT):
        return math.inf
    return asked.came_last + SOON if asked.came_last > asked.at + EARLY else None


def _is_answered(evidence: Evidence, asked: Asked) -> bool:
    """Return whether the answer explains the request even if nothing came of it."""
    return _is_told(_said(evidence, asked), *NOT_SURE, MAY_COME_AGAIN)


def _forgotten(evidence: Evidence, asked: Asked) -> float:
    """Return when Redis lost it from the inbox."""
    return min((loss.at for loss in evidence.losses if asked.id in loss.inbox), default=math.inf)


def _fits(event: Event, asked: Asked, until: float) -> bool:
    if event.by != asked.by or event.kind not in DID[asked.verb]:
        return False
    if not asked.at - EARLY <= event.at.timestamp() <= until:
        return False
    return not asked.token or event.kind is EventKind.APPROVAL_WANTED  # the only event without room for a reason


def _token(event: Event) -> str:
    return event.reason.removeprefix(REJECTED).partition(" ")[0]


def repeated(evidence: Evidence) -> dict[tuple[str, str], list[Event]]:
    """Return the events, by rollout and token, that happened more than once."""
    told: dict[tuple[str, str, EventKind], set[Event]] = defaultdict(set)
    for rollout in evidence.streams:
        for event in events(evidence, rollout):
            if (word := _token(event)).startswith("t0"):
                told[rollout, word, event.kind].add(event)
    return {key[:2]: sorted(each, key=lambda event: event.at) for key, each in told.items() if len(each) > 1}
