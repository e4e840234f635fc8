"""`status`: where one rollout stands, or all rollouts of a channel."""

from collections.abc import Sequence

from bot.domain.commands.request import STATUS as NAME
from bot.domain.errors import UsageError, UserError
from bot.domain.prose import Prose, say
from bot.domain.rollout import Entry
from bot.domain.sentences.which_one import naming
from bot.domain.verbs.asking import Asking, Reply
from bot.domain.verbs.declaration import Kind, Verb


def _answer(asking: Asking) -> Reply:
    subject, where, channel = asking.command.subject, asking.command.where, asking.origin.channel
    if subject or where:
        return _named(asking)
    here = tuple(asking.sources.rollouts.entries(channel)) or _last(asking)
    if here:
        return Reply(rollouts=here, said=_how_to_name(here))
    return Reply(said=_none(asking))


def _named(asking: Asking) -> Reply:
    """Return the rollout with a name, or on a route, or all of several."""
    command = asking.command
    try:
        found = asking.sources.rollouts.find(command.subject, asking.origin.channel, command.where)
    except UsageError as error:
        if error.choices is None:
            raise
        return Reply(rollouts=error.choices.entries, said=_how_to_name(error.choices.entries))
    return Reply(rollouts=(found,))


def _how_to_name(entries: Sequence[Entry]) -> Prose:
    """Say how to name one of several with the same pool; nothing if the pools tell them apart."""
    rollouts = [entry.rollout for entry in entries if not entry.rollout.is_over]
    named = ((naming(each, rollouts), each.canary.name) for each in rollouts)
    apart = next((name for name, pool in named if name != pool), "")
    return say("Name one of several, as in `{}`.", apart) if apart else Prose()


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
