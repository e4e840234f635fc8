"""Whether a rollout that only its route's note knows is over: the store may know one that came after it."""

from bot.domain.decisions.by_route import came_after
from bot.domain.rollout import Entry, Rollout
from bot.engine.store_port import Store


def follower(store: Store, note: Rollout, *, but: str = "") -> Entry | None:
    """Return the rollout, other than ``but``, that had the route after the one in a note: the note is an old one."""
    newest = store.latest(note.route_uid, but=but)
    entry = store.load(newest) if newest is not None else None
    return entry if entry is not None and came_after(note, entry.rollout) else None
