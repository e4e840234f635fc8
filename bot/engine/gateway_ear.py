"""What the gateway's word means for a rollout: while a write waits for its answer, before a step, and between steps."""

import logging
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from bot.domain.deadlines import ACCEPT_WITHIN, POLL_ACCEPTANCE
from bot.domain.decisions.by_time import LookAgain, on_accepted, on_part_refused, on_rejected
from bot.domain.decisions.moves import Moment
from bot.domain.errors import ClusterError
from bot.domain.events import Event, EventKind
from bot.domain.rollout import Acceptance, Applied, Change, Entry, Phase, Rollout
from bot.engine.gateway_word import Bars, GatewaySays, GatewayWord, Objection
from bot.engine.route_port import RouteCopy, Routes
from bot.engine.store_port import Progress
from bot.engine.told import Told

log = logging.getLogger(__name__)

POLL_AT_MOST: Final = timedelta(seconds=5)
_NOES: Final = frozenset({GatewaySays.REJECTED, GatewaySays.PARTLY})
SILENT: Final = GatewayWord()


def with_earlier_noes(change: Change, routes: Routes) -> Change:
    """Add to a decision that begins to write weights what the gateways say against the route before that.

    A start may have waited for people or a gate since its survey. A no is read from the server, as we act on it.
    """
    to = change.after
    if to.phase is not Phase.STARTING:
        return change
    try:
        noes = _noes(routes.kept(to.namespace, to.route), to, routes)
        if noes is None or noes:
            noes = _noes(routes.read(to.namespace, to.route), to, routes) or ()
    except ClusterError:  # then it cannot be written either
        return change
    new = {each.said: None for each in noes if each.key not in to.known}
    told = [_warned(f"{text.rstrip('.')}. It was so before the first weight.", change) for text in new]
    known = tuple(sorted({each.key for each in noes}))
    return replace(change, after=replace(to, known=known), events=(*told, *change.events))


def _noes(copy: RouteCopy | None, rollout: Rollout, routes: Routes) -> Sequence[Objection] | None:
    """Return the objections on a copy; None without one."""
    return routes.gateway_word(copy, rollout, copy.generation).objections if copy else None


def _warned(text: str, change: Change) -> Event:
    return Event(kind=EventKind.WARNED, at=change.after.decided_at, reason=text)


@dataclass(frozen=True, slots=True)
class Heard:
    """What was heard, and what is decided because of it (None: nothing, only the progress is to be saved).

    ``told`` is given if people are told of it once: remember it when that is saved.
    """

    progress: Progress
    outcome: Change | LookAgain | None = None
    told: Hashable = None


class GatewayEar:
    """Hears what gateways say about rollouts, in copies of their routes. A no is told once for the same weights."""

    def __init__(self, routes: Routes) -> None:
        self._routes = routes
        self._told = Told()

    def answer(self, entry: Entry, applied: Applied, moment: Moment) -> Heard:
        """Hear the answer to weights that were written, or how long to wait for it."""
        if _is_early(entry):
            return Heard(Progress(acceptance=Acceptance.NOT_WRITTEN), on_accepted(entry, moment))
        word = self._word(entry.rollout, applied.generation)
        if no := _no(entry, word, moment):
            return no
        if word.says(entry.rollout.known) is GatewaySays.ACCEPTED:
            return Heard(Progress(acceptance=Acceptance.ACCEPTED), on_accepted(entry, moment))
        if moment.now - applied.at >= ACCEPT_WITHIN:
            return Heard(_silence(entry, word, moment), on_accepted(entry, moment))
        return Heard(Progress(due=_next_poll(applied, moment.now), redraw=False))

    def late_no(self, entry: Entry, moment: Moment) -> Heard | None:
        """Hear a no that came after the answer to the same weights; None if there is none, or people know it."""
        if entry.acceptance is Acceptance.REFUSED or entry.applied is None or _is_early(entry):
            return None
        return _no(entry, self._word(entry.rollout, entry.applied.generation), moment)

    def news(self, entry: Entry, moment: Moment) -> Heard | None:
        """Hear what is new in a status that has changed; None if nothing is."""
        if entry.applied is None or not entry.is_applied or _is_early(entry):
            return None
        if entry.acceptance is not Acceptance.WAITING and (no := self.late_no(entry, moment)):
            return no
        word = self._word(entry.rollout, entry.applied.generation)
        says, why = word.says(entry.rollout.known), word.why(entry.rollout.known, Bars.PROGRAM)
        if entry.acceptance is Acceptance.WAITING:  # the timer hears the answer, and nobody beside it
            return Heard(Progress(due=moment.now, redraw=False)) if says is not GatewaySays.NOTHING else None
        told = entry.rollout.id, entry.applied.generation, why  # some gateways waver
        if entry.acceptance is Acceptance.ACCEPTED and why and not self._told.knows(told):
            event = Event(kind=EventKind.TROUBLE, at=moment.now, weight=entry.rollout.weight, reason=why)
            return Heard(Progress(events=(event,)), told=told)
        is_new = says is GatewaySays.ACCEPTED and entry.acceptance is not Acceptance.ACCEPTED
        return Heard(Progress(acceptance=Acceptance.ACCEPTED)) if is_new else None

    def remember(self, heard: Heard) -> None:
        """Remember that people were told."""
        if heard.told:
            self._told.remember(heard.told)

    def _word(self, rollout: Rollout, generation: int) -> GatewayWord:
        """Read it from the watch's copy; a no is read again from the server, because we act on it.

        If the API server does not answer, the gateway counts as silent: the deadline does not wait.
        """
        kept = self._routes.kept(rollout.namespace, rollout.route)
        word = self._routes.gateway_word(kept, rollout, generation) if kept else None
        if word is not None and word.says(rollout.known) not in _NOES:
            return word
        try:
            copy = self._routes.read(rollout.namespace, rollout.route)
            return self._routes.gateway_word(copy, rollout, generation)
        except ClusterError as error:
            log.info("rollout %s: could not read what the gateway says: %s", rollout.id, error)
            return SILENT


def _is_early(entry: Entry) -> bool:
    """Say whether nothing of ours is written yet: whatever a gateway says then is no answer to us."""
    return entry.rollout.step < 0


def _no(entry: Entry, word: GatewayWord, moment: Moment) -> Heard | None:
    """Return what a refusal leads to; None if the word is none."""
    known, told = entry.rollout.known, Progress(acceptance=Acceptance.REFUSED)
    says = word.says(known)
    if says is GatewaySays.REJECTED:
        return Heard(told, on_rejected(entry, word.why(known, Bars.ROUTE), moment))
    if says is GatewaySays.PARTLY:
        return Heard(told, on_part_refused(entry, word.why(known, Bars.PART), moment))
    return None


def _silence(entry: Entry, word: GatewayWord, moment: Moment) -> Progress:
    """Go on without an answer. The first silence of a rollout is told, and every one that has a reason."""
    why = word.why(entry.rollout.known, Bars.PROGRAM)
    told = Event(kind=EventKind.ACCEPTANCE_UNKNOWN, at=moment.now, weight=entry.rollout.weight, reason=why)
    is_told = why or entry.rollout.phase is Phase.STARTING
    return Progress(acceptance=Acceptance.UNKNOWN, events=(told,) if is_told else ())


def _next_poll(applied: Applied, now: datetime) -> datetime:
    return now + min(max((now - applied.at) / 2, POLL_ACCEPTANCE), POLL_AT_MOST)
