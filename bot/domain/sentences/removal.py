"""A removal of an old pool in words: what will be done, in this order, and what is left."""

from collections.abc import Iterable, Iterator, Sequence

from bot.domain.plan import show_duration
from bot.domain.removal import Removal, Thing


def lines(removal: Removal) -> Iterator[str]:
    """Yield what people are asked to agree to: each goes on from "it will"."""
    why = "the longest timeout of the route" if removal.has_timeout else "the route has no timeout"
    if removal.idle_for:
        yield f"wait until `{removal.pool.name}` has served nothing for {show_duration(removal.idle_for)} ({why})"
    yield from _deletion(removal)


def lines_undrained(removal: Removal, why: str) -> Iterator[str]:
    """Yield the same where nobody can see whether the pool is idle."""
    yield f"not wait until `{removal.pool.name}` is idle: {why}. *What it still serves is cut off*"
    yield from _deletion(removal)


def named(things: Sequence[Thing]) -> str:
    """Name things, those of one name together."""
    return named_kinds([(thing.kind, thing.name) for thing in things])


def named_kinds(things: Iterable[tuple[str, str]]) -> str:
    """Name things by their kinds and names, those of one name together."""
    names: dict[str, list[str]] = {}
    for kind, name in things:
        names.setdefault(name, []).append(kind)
    return "; ".join(f"{_and(kinds)} `{name}`" for name, kinds in names.items()) or "nothing: it is gone already"


def _deletion(removal: Removal) -> Iterator[str]:
    yield "end the rollout: nobody can roll back after that"
    if release := removal.release:
        command = f"helm uninstall {release.name} -n {release.namespace}"
        yield f"run `{command}` ({release.chart}, revision {release.revision})"
    yield f"delete {'with it ' if removal.release else ''}{named(removal.things)}"
    if removal.servers:
        yield f"delete its model servers before that: {named(removal.servers)}"
    yield from (f"leave {each}" for each in removal.stays)


def _and(words: Sequence[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
