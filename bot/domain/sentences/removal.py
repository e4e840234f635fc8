"""A removal of an old pool in words: what goes, what stays, and how it is put back."""

from collections.abc import Iterator, Sequence

from bot.domain.plan import show_duration
from bot.domain.removal import Removal, Thing


def lines(removal: Removal) -> Iterator[str]:
    """Yield what people are asked to agree to."""
    pool = removal.pool.name
    if release := removal.release:
        command = f"helm uninstall {release.name} -n {release.namespace}"
        yield f"Run `{command}` ({release.chart}, revision {release.revision})"
    yield f"Deleted: {named(removal.things)}"
    yield from (f"Stays: {each}" for each in removal.stays)
    why = "the route's longest timeout" if removal.has_timeout else "as the policy says, the route has no timeout"
    yield f"First `{pool}` has to serve nothing for {show_duration(removal.idle_for)} ({why})"
    yield "Once the deletion begins, `rollback` no longer works"


def lines_undrained(removal: Removal, why: str) -> Iterator[str]:
    """Yield the same where nobody can see whether the pool is idle."""
    yield f"*I cannot see whether `{removal.pool.name}` still serves requests: {why}.* They would be cut off"
    yield from (line for line in lines(removal) if not line.startswith("First "))


def named(things: Sequence[Thing]) -> str:
    """Name things, those of one name together."""
    names: dict[str, list[str]] = {}
    for thing in things:
        names.setdefault(thing.name, []).append(thing.kind)
    return "; ".join(f"{joined_with_and(kinds)} `{name}`" for name, kinds in names.items()) or "nothing: it is gone"


def joined_with_and(words: Sequence[str]) -> str:
    """Return words as a list in a sentence."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
