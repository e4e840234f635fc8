"""A deployment in words: what will be done, in this order."""

from collections.abc import Iterator

from bot.domain.deployment import Draft
from bot.domain.sentences.removal import named_kinds


def draft_lines(draft: Draft) -> Iterator[str]:
    """Yield what people are asked to agree to: each goes on from "it will"."""
    pool = draft.pool
    yield f"run `helm install {pool.name} {draft.chart} --version {draft.version} -n {pool.namespace}`"
    yield f"make {named_kinds(draft.makes)}"
    if not draft.differs:
        yield f"make it like release `{draft.old_release}`, but for the name"
    first = f"differ from `{draft.old_release}` in"
    yield from (f"{'and in' if place else first} {each}" for place, each in enumerate(draft.differs))
    yield f"send requests to {draft.serves}"
    yield "move no traffic: `start` does that"
