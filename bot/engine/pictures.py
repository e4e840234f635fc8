"""After a decision: tells the thread what both pools did until then, as charts. Nothing waits for that."""

import logging
from threading import Thread

from bot.domain.errors import StoreError
from bot.domain.events import Event, EventKind
from bot.domain.rollout import Change
from bot.engine.ports import Clock, Gates
from bot.engine.store_port import Progress, Store

log = logging.getLogger(__name__)

HOLDS = frozenset({EventKind.HELD, EventKind.HELD_ON})
"""A hold may come and go; the card says what it waits for."""


def beside(change: Change, store: Store, gates: Gates, clock: Clock) -> None:
    """Tell it in a thread of its own: nobody waits for a metrics server. A terminal that ends at once tells nothing."""
    if _has_numbers(change):
        Thread(target=tell_with_charts, args=(change, store, gates, clock), name="charts", daemon=True).start()


def _has_numbers(change: Change) -> bool:
    return any(event.figures and event.kind not in HOLDS for event in change.events)


def tell_with_charts(change: Change, store: Store, gates: Gates, clock: Clock) -> None:
    """Add charts to the thread if gates saw numbers for a decision that is saved, and that is no hold."""
    to = change.after
    if not _has_numbers(change):
        return
    try:
        entry = store.load(to.id)
        charts = gates.history(entry) if entry else ()
        if charts:
            event = Event(kind=EventKind.PICTURE, at=clock.now(), weight=to.weight, charts=charts)
            store.learn(to.id, to.decision, Progress(events=(event,)))
    except StoreError as error:
        log.info("rollout %s: its charts are not told: %s", to.id, error)
