"""Which rollout a roll back means while the store is away, by the notes on the routes."""

from collections.abc import Sequence, Set
from dataclasses import replace
from datetime import datetime

from bot.domain.choices import Choices
from bot.domain.commands.request import ANYWHERE, Command, Where
from bot.domain.decisions.by_route import applied_by
from bot.domain.errors import ClusterError, NotHereError, RefusedError, UsageError
from bot.domain.rollout import SLOTLESS, Entry, Rollout
from bot.domain.sentences.which_one import listed
from bot.domain.slips import likely_meant
from bot.engine.brake_words import (
    almost_there,
    did_you_mean,
    is_a_name,
    named_in_reason,
    slip_of,
    the_one_named,
    with_place_as_reason,
)
from bot.engine.lookup import not_there, rolled_back_before
from bot.engine.route_port import Note, Proof


def meant_on_routes(
    notes: Sequence[Note], failed: Sequence[ClusterError], command: Command, channel: str, asked: datetime
) -> tuple[Rollout, Command]:
    """Return the record that a command means, and the command as the person meant it.

    ``failed`` is why other namespaces could not be read. Raises UsageError, RouteError, ClusterError.
    """
    entry, command = _meant(notes, failed, command, channel, asked)
    fits = command.where.fits(entry.rollout)
    return entry.rollout, command if fits else with_place_as_reason(command)


def _meant(
    notes: Sequence[Note], failed: Sequence[ClusterError], command: Command, channel: str, asked: datetime
) -> tuple[Entry, Command]:
    entries = [_entry(note.rollout) for note in notes]
    here: Sequence[Entry] = [each for each in entries if channel in ("", each.rollout.channel)]
    names, routes = {each.rollout.canary.name for each in entries}, {each.rollout.route for each in entries}
    command = named_in_reason(command, names)
    if meant := named(notes, command.subject):
        return _only(_there(meant, command, routes, failed), command), command
    if failed and not notes:
        raise failed[0]
    unnamed = replace(command, subject="", reason=f"{command.subject} {command.reason}".strip())
    if command.subject:
        _require_no_guess(command.subject, failed)
        running = {each.rollout.canary.name for each in here if not each.rollout.is_over}
        if slip := slip_of(command.subject, running, names):
            slips = [each for each in here if each.rollout.canary.name == slip]
            return _only(_there(slips, command, routes, failed), command), command
        _require_a_reason(command, entries)
    if command.where:
        here = _on_route(here, entries, unnamed, failed)
    return _unnamed(here, failed, asked, unnamed), unnamed


def named(notes: Sequence[Note], subject: str, where: Where = ANYWHERE) -> Sequence[Entry]:
    """Return the records with an id or a name: one that is not signed only where none that is signed has it."""
    by_id = [note for note in notes if subject == note.rollout.id]
    meant = by_id or [note for note in notes if subject == note.rollout.canary.name and where.fits(note.rollout)]
    signed = [note for note in meant if note.proof is not Proof.UNSIGNED]
    return [_entry(note.rollout) for note in signed or meant]


def _entry(rollout: Rollout) -> Entry:
    """Return a record with what its note says is on the route."""
    return Entry(rollout=rollout, applied=applied_by(rollout, 0))


def _there(
    meant: Sequence[Entry], command: Command, routes: Set[str], failed: Sequence[ClusterError]
) -> Sequence[Entry]:
    """Return those of a pool's records that are where a command says, or almost. Raises RouteError, ClusterError."""
    is_id = command.subject in {each.rollout.id for each in meant}
    if there := [each for each in meant if is_id or command.where.fits(each.rollout)]:
        return there
    _require_no_guess(f"{command.subject} {command.where}", failed)
    if there := almost_there(meant, command.where, routes):
        return there
    raise not_there(command, meant)


def _on_route(
    here: Sequence[Entry], notes: Sequence[Entry], command: Command, failed: Sequence[ClusterError]
) -> Sequence[Entry]:
    """Return the channel's records that are where a command says, else those of all channels. Raises UserError."""
    for some in (here, notes):
        if there := [each for each in some if command.where.fits(each.rollout)]:
            return there
    _require_no_guess("", failed)
    raise not_there(command, [each for each in here or notes if not each.rollout.is_over])


def _unnamed(notes: Sequence[Entry], failed: Sequence[ClusterError], asked: datetime, command: Command) -> Entry:
    """Return what a roll back without a name means: first one that it has rolled back already, then one that moves."""
    if back := rolled_back_before(notes, asked):
        return back
    _require_no_guess("", failed)
    live = [each for each in notes if not each.rollout.is_over] or (notes if command.where else [])
    return the_one_named(command.reason, live) or _only(live, command, failed)


def _require_no_guess(word: str, failed: Sequence[ClusterError]) -> None:
    """Ask for a name if the rollout may be in a namespace that failed; a refused one will stay refused."""
    unread = next((error for error in failed if not isinstance(error, RefusedError)), None)
    if unread is not None:
        where = "There may be rollouts on routes that I could not read."
        if word:
            where = f"No route that I could read has a rollout of `{word}`."
        raise ClusterError(f"{where} {unread.message}", hint="Name the new pool that you mean: `rollback POOL`.")


def _require_a_reason(command: Command, entries: Sequence[Entry]) -> None:
    """Refuse a word that may be a pool or an id, rather than roll back another rollout because of it."""
    word, names = command.subject, {each.rollout.canary.name for each in entries}
    if is_a_name(word, names):
        near = [each for each in entries if each.rollout.canary.name in likely_meant(word, names)]
        open_ones = tuple(each for each in near if not each.rollout.is_over)
        raise NotHereError(
            f"No route has a rollout of `{word}`.",
            hint=did_you_mean(word, names) or "Name its new pool: `rollback POOL`.",
            choices=Choices(command.verb, open_ones) if open_ones else None,
        )


def _only(found: Sequence[Entry], command: Command, failed: Sequence[ClusterError] = ()) -> Entry:
    """Return the one that moves; a finished one only where none does."""
    moving = [each for each in found if each.rollout.phase not in SLOTLESS] or found
    if len(moving) == 1:
        return moving[0]
    if not moving:
        none = NotHereError("No route has such a rollout.", hint="Name its new pool: `rollback POOL`.")
        raise failed[0] if failed else none
    if named := the_one_named(command.reason, moving):
        return named
    choices = Choices(command.verb, tuple(moving))
    names = listed([each.rollout for each in moving])
    raise UsageError("This could mean several rollouts.", hint=f"Name one: {names}.", choices=choices)
