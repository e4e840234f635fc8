"""Which rollout people mean: by the canary's name, by rollout id, or the only one of the channel."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.choices import Choices
from bot.domain.commands.request import ROLLBACK, Command
from bot.domain.decisions.start import is_rollout_id
from bot.domain.errors import NotHereError, RouteError, UsageError, lost_data
from bot.domain.rollout import SLOTLESS, Entry, Phase, Rollout
from bot.domain.sentences.which_one import listed, naming
from bot.domain.slips import likely_meant
from bot.domain.verbs.registry import verb_of
from bot.engine.brake_words import (
    almost_there,
    did_you_mean,
    is_a_name,
    named_in_reason,
    slip_of,
    the_one_named,
    with_place_as_reason,
)
from bot.engine.ports import Clock
from bot.engine.store_port import Store

REMEMBERED = timedelta(hours=24)
"""For this long a verb without a pool means the channel's last rollout."""

IN_VAIN = (
    "It is over and forgotten, or another install of the bot has it: use the newest card. Where two installs share a "
    "Slack app, try again: each gets a part of the clicks."
)
"""What to make of an id that nobody knows. It was on a button, as people do not make ids up."""

A_MOMENT = timedelta(minutes=10)
"""For this long after a roll back, another one without a name cannot mean a rollout that had finished before it."""


class Lookup:
    """Looks rollouts up for commands and clicks."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def meant_by(self, command: Command, channel: str, asked: datetime) -> tuple[Entry, Command]:
        """Return the rollout that a command is about, and the command as the person meant it."""
        verb = verb_of(command.verb)
        if verb.is_brake:
            return self._braked_by(command, channel, asked if verb.name == ROLLBACK else None)
        try:
            return self.find(command, channel), command
        except RouteError as error:
            if not verb.takes_any_word or self._is_a_name(command.subject, channel):
                raise _with_reason_apart(error, command) from error
            reason = f"{command.subject} {command.reason}".strip()
            command = replace(command, subject="", reason=reason)
            return self.find(command, channel), command

    def _braked_by(self, command: Command, channel: str, brakes: datetime | None) -> tuple[Entry, Command]:
        """Return the rollout that a brake means: the one it names, however that is spelled, else the channel's.

        `rollback p99 doubled` has a reason and no pool. It refuses only an id, a route without a rollout, and a word
        that is close to a pool of another channel, because braking another rollout instead would be worse.
        """
        if command.reason and not command.subject:
            command = named_in_reason(command, self._names(channel))
        unnamed = replace(command, subject="", reason=f"{command.subject} {command.reason}".strip())
        try:
            return self._braked(command if command.subject else unnamed, channel, brakes)
        except RouteError:
            if not command.subject:
                raise
            if meant := slip_of(command.subject, self._running(channel), self._names(channel)):
                return self._braked(replace(command, subject=meant), channel, brakes)
            if self._is_a_name(command.subject, channel):
                raise
        return self._braked(unnamed, channel, brakes)

    def _braked(self, command: Command, channel: str, brakes: datetime | None) -> tuple[Entry, Command]:
        entry = self.find(command, channel, brakes)
        return entry, command if command.where.fits(entry.rollout) else with_place_as_reason(command)

    def _is_a_name(self, subject: str, channel: str) -> bool:
        return is_a_name(subject, self._names(channel))

    def under_way(self) -> Sequence[Entry]:
        """Return the rollouts that are not over, finished ones too, newest first. Raises StoreError."""
        return self._store.entries()

    def find(self, command: Command, channel: str, brakes: datetime | None = None) -> Entry:
        """Return the rollout that a command names, else the one of a channel, or of all if that is empty.

        ``brakes`` is the time of the request if it is a roll back. Raises UserError, StoreError.
        """
        try:
            return self._by_name(command, channel) if command.subject else self._of_channel(command, channel, brakes)
        except RouteError as error:
            if not self._store.is_whole():
                raise lost_data() from error  # it may exist, and Redis has only forgotten it
            raise

    def _by_name(self, command: Command, channel: str) -> Entry:
        entry, is_brake = self._store.load(command.subject), verb_of(command.verb).is_brake
        if entry is not None and is_brake:
            return entry
        named = [entry] if entry else self._store.named(command.subject)
        if not named:
            raise self._unknown(command, channel)
        there = [entry for entry in named if command.where.fits(entry.rollout)]
        if not there and is_brake:
            if not self._store.is_whole():
                raise lost_data()
            there = almost_there(named, command.where, {entry.rollout.route for entry in self._store.entries()})
        if not there:
            raise not_there(command, _open(named) or named[:1])
        active = _open(there) or there[:1]
        if len(active) == 1:
            return active[0]
        if is_brake and (one := the_one_named(command.reason, active)):
            return one
        raise self._several(f"`{command.subject}` has several rollouts.", command, active)

    def _unknown(self, command: Command, channel: str) -> NotHereError:
        """Say that no rollout has the name, and which ones may be meant: those with a name like it, else all."""
        names, running = likely_meant(command.subject, self._names(channel)), self._store.entries()
        near = [entry for entry in running if entry.rollout.canary.name in names]
        none = f"There is no rollout of `{command.subject}`."
        if is_rollout_id(command.subject):
            return NotHereError(none, hint=IN_VAIN)
        if names:
            hint = did_you_mean(command.subject, self._names(channel))
            return NotHereError(none, hint=hint, choices=self._choices(command, near) if near else None)
        if not running:
            return NotHereError(none, hint="None is running: begin one with `start POOL WEIGHT`.")
        return NotHereError(none, hint=f"Running: {listed(_rollouts(running))}.")

    def _names(self, channel: str) -> set[str]:
        """Return the names of running rollouts, and of the channel's last ones."""
        return self._running("") | {entry.rollout.canary.name for entry in self._store.in_channel(channel)}

    def _running(self, channel: str) -> set[str]:
        rollouts = [entry.rollout for entry in self._store.entries()]
        return {rollout.canary.name for rollout in rollouts if channel in ("", rollout.channel)}

    def _of_channel(self, command: Command, channel: str, brakes: datetime | None) -> Entry:
        entries = self._store.in_channel(channel) if channel else self._store.entries()
        if command.where:
            entries = self._on_route(entries, command)
        if brakes and (back := rolled_back_before(entries, brakes)):
            return back
        open_ones = _open(entries)
        # A finished rollout only waits to be cleaned up; a verb without a name means the one that still moves.
        moving = [entry for entry in open_ones if entry.rollout.phase not in SLOTLESS]
        if brakes and not channel and not moving:
            _require_none(open_ones)  # no index names the last roll back: this may be the same one again
        active = moving or open_ones
        if len(active) == 1:
            return active[0]
        if verb_of(command.verb).is_brake and (named := the_one_named(command.reason, active)):
            return named
        if active:
            where = "This channel has" if channel and not command.where else "There are"
            raise self._several(f"{where} several rollouts.", command, active)
        return self._last(entries, channel, command)

    def _on_route(self, entries: Sequence[Entry], command: Command) -> Sequence[Entry]:
        """Return the rollouts of the channel that are where the command says, else those of all channels that are.

        A route, like a pool, is named from any channel. Raises RouteError.
        """
        running = self._store.entries()
        there = [entry for entry in entries if command.where.fits(entry.rollout)]
        there = there or [entry for entry in running if command.where.fits(entry.rollout)]
        if not there:
            raise not_there(command, _open(entries) or running)
        return there

    def _several(self, told: str, command: Command, entries: Sequence[Entry]) -> UsageError:
        choices = self._choices(command, entries)
        return UsageError(told, hint=f"Name one: {_listed(choices)}.", choices=choices)

    def _choices(self, command: Command, entries: Sequence[Entry]) -> Choices:
        return Choices(command.verb, tuple(entries), beside=tuple(self._store.entries()))

    def _last(self, entries: Sequence[Entry], channel: str, command: Command) -> Entry:
        recent = [e for e in entries if command.where or self._clock.now() - e.rollout.since <= REMEMBERED]
        if recent:
            return recent[0]
        if not channel:
            begin = f"Name the pool of one that is over (`{command.verb} POOL`), or begin one with `start POOL WEIGHT`."
            raise NotHereError("No rollout is under way.", hint=begin)
        none, running = "This channel has no rollout.", self._store.entries()
        if not running:
            raise NotHereError(none, hint="None is running: begin one with `start POOL WEIGHT`.")
        elsewhere = self._choices(command, running)
        raise NotHereError(none, hint=f"Elsewhere: {_listed(elsewhere)}.", choices=elsewhere)


def rolled_back_before(entries: Sequence[Entry], asked: datetime) -> Entry | None:
    """Return the rollout that a roll back without a name has rolled back already; None if it means another one.

    A roll back that was done from the route comes again from the inbox, and people in a hurry type it twice. Raises
    UsageError if it would then roll back another rollout; but one that finished after the roll back may be meant.
    """
    rolled_back = [each for each in entries if each.rollout.phase is Phase.ROLLED_BACK]
    if not rolled_back:
        return None
    back = max(rolled_back, key=lambda each: each.rollout.since)
    since = back.rollout.since
    moving = [each for each in entries if each.rollout.phase not in SLOTLESS]
    if since > asked:
        _require_nothing("since you asked", back, "other", [e for e in moving if e.rollout.started_at <= asked])
        return back
    finished = [each for each in entries if each.rollout.phase is Phase.FINISHED]
    if not moving and asked - since < A_MOMENT and all(each.rollout.since <= since for each in finished):
        _require_nothing("a moment ago", back, "finished", finished)
    return None


def _require_nothing(when: str, back: Entry, kind: str, rest: Sequence[Entry]) -> None:
    """Ask people to name one of the rest."""
    if rest:
        choices = Choices(ROLLBACK, tuple(rest), beside=(back,))
        named = naming(back.rollout, _rollouts([back, *rest]))
        hint = f"Name the {kind} one if you mean it: {_listed(choices)}."
        raise UsageError(f"`{named}` was rolled back {when}.", hint=hint, choices=choices)


def not_there(command: Command, entries: Sequence[Entry]) -> NotHereError:
    """Say that no rollout is where a command says, and which ones may be meant."""
    of = f" of `{command.subject}`" if command.subject else ""
    none = f"There is no rollout{of} at `{command.where}`."
    if not entries:
        return NotHereError(none, hint="None is running: begin one with `start POOL WEIGHT`.")
    choices = Choices(command.verb, tuple(entries))
    return NotHereError(none, hint=f"Name one: {_listed(choices)}.", choices=choices)


def _with_reason_apart(error: RouteError, command: Command) -> RouteError:
    """Tell people how to give a reason without a pool; a verb that raises the canary does not guess."""
    is_like_a_name = "-" in command.subject
    if error.choices or verb_of(command.verb).takes_any_word or (is_like_a_name and not command.reason):
        return error
    return NotHereError(error.message, hint=f'{error.hint} Without a pool, write a reason as `reason="…"`.')


def _require_none(finished: Sequence[Entry]) -> None:
    """Ask people to name the finished rollout."""
    if finished:
        choices = Choices(ROLLBACK, tuple(finished))
        raise UsageError(
            "No rollout is moving.", hint=f"Name the finished one if you mean it: {_listed(choices)}.", choices=choices
        )


def _open(entries: Iterable[Entry]) -> list[Entry]:
    return [entry for entry in entries if not entry.rollout.is_over]


def _listed(choices: Choices) -> str:
    return listed(_rollouts(choices.entries), _rollouts(choices.beside))


def _rollouts(entries: Sequence[Entry]) -> list[Rollout]:
    return [entry.rollout for entry in entries]
