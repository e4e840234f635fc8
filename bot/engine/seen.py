"""What a brake has seen before it was saved, so that its write needs no look at the route or the store after that."""

from dataclasses import dataclass, replace

from bot.domain.rollout import Entry, Rollout
from bot.engine.route_port import RouteCopy, Routes


@dataclass(frozen=True, slots=True)
class Seen:
    """An entry as it is once a decision is saved, and a copy of the route from before that.

    The copy is older than the record, as the write protocol wants it everywhere.
    """

    entry: Entry
    copy: RouteCopy


def seen_before(routes: Routes, entry: Entry, after: Rollout) -> Seen | None:
    """Take the copy that a watch keeps; call it before ``after`` is saved. None if no watch keeps one."""
    copy = routes.kept(after.namespace, after.route)
    if copy is None or copy.uid != after.route_uid:
        return None
    return Seen(replace(entry, rollout=after, pending=(*entry.pending, after.decision)), copy)
