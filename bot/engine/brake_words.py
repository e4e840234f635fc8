"""What to make of a brake's words that name no rollout: a slip, a place, or the beginning of its reason."""

from collections.abc import Iterable, Sequence, Set
from dataclasses import replace

from bot.domain.commands.request import ANYWHERE, Command, Where
from bot.domain.commands.values import bare_name
from bot.domain.decisions.start import is_rollout_id
from bot.domain.rollout import Entry
from bot.domain.slips import likely_meant


def almost_there(entries: Sequence[Entry], where: Where, routes: Set[str]) -> list[Entry]:
    """Return those of a pool's rollouts that a brake means if none is where it says.

    A namespace, or a slip in a route's name, keeps no brake from the pool that it names; one of the other ``routes``
    that have a rollout does.
    """
    if not where.route:
        return list(entries)
    here = {entry.rollout.route for entry in entries}
    near = likely_meant(where.route, here) if where.route not in here | routes else [where.route]
    return [entry for entry in entries if len(near) == 1 and entry.rollout.route == near[0]]


def with_place_as_reason(command: Command) -> Command:
    """Return a brake whose words about a place are none: they begin its reason, as other odd words do."""
    return replace(command, where=ANYWHERE, reason=f"{command.where} {command.reason}".strip())


def named_in_reason(command: Command, names: Iterable[str]) -> Command:
    """Return a brake with its pool as the subject, if an oddly spelled one begins the reason: ``Vllm-New: slow``."""
    first, _, rest = command.reason.partition(" ")
    name = bare_name(first)
    if command.subject or not (name in names or is_rollout_id(name)):
        return command
    return replace(command, subject=name, reason=rest.strip())


def slip_of(word: str, here: Iterable[str], names: Iterable[str]) -> str:
    """Return the one pool of a channel that a word is close to; empty if it may mean another one as well."""
    near = likely_meant(word, names)
    return near[0] if len(near) == 1 and near[0] in here else ""


def the_one_named(reason: str, entries: Sequence[Entry]) -> Entry | None:
    """Return the one rollout whose pool or id is among the words of a reason."""
    words = {bare_name(word) for word in reason.split()}
    named = [each for each in entries if words & {each.rollout.canary.name, each.rollout.id}]
    return named[0] if len(named) == 1 else None


def is_a_name(subject: str, names: Iterable[str]) -> bool:
    """Say whether a word cannot be a reason: it is a rollout's id, or close to one of the names."""
    return is_rollout_id(subject) or bool(likely_meant(subject, names))


def did_you_mean(subject: str, names: Iterable[str]) -> str:
    """Return "Did you mean" with the names that a word may be a typo of; empty if there is none."""
    near = ", ".join(f"`{name}`" for name in likely_meant(subject, names))
    return f"Did you mean {near}?" if near else ""
