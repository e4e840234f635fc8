"""`status`: where one rollout stands, or all rollouts of a channel."""

from bot.domain.commands.request import STATUS as NAME
from bot.domain.errors import UserError
from bot.domain.prose import Prose, say
from bot.domain.rollout import Entry
from bot.domain.verbs.asking import Asking, Reply
from bot.domain.verbs.declaration import Kind, Verb


def _answer(asking: Asking) -> Reply:
    subject, channel = asking.command.subject, asking.origin.channel
    if subject:
        return Reply(rollouts=(asking.sources.rollouts.find(subject, channel),))
    here = tuple(asking.sources.rollouts.entries(channel)) or _last(asking)
    return Reply(rollouts=here, said=Prose() if here else _none(asking))


def _last(asking: Asking) -> tuple[Entry, ...]:
    """Return the last rollout of this channel, and none of other channels."""
    try:
        return (asking.sources.rollouts.find("", asking.origin.channel),) if asking.origin.channel else ()
    except UserError:
        return ()


def _none(asking: Asking) -> Prose:
    if not asking.origin.channel:
        return say("No rollout is under way.")
    return say(
        "This channel has no rollout. Name a pool, as in `{program} status POOL`, "
        "or begin one with `{program} start POOL WEIGHT`.",
        program=asking.program,
    )


STATUS = Verb(
    name=NAME,
    kind=Kind.QUESTION,
    help="where it stands",
    usage="[POOL]",
    instead_of=("list", "ls", "show", "get", "info"),
    answer=_answer,
)
